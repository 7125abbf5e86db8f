import type { Sampler, TextStream, Verifier } from "@diffuspec/contracts";

export interface PlainOptions {
  readonly maxTokens: number;
  readonly minTokens?: number;
  readonly eosIds?: readonly number[];
  readonly text?: TextStream;
  readonly stop?: readonly string[];
}

/**
 * Plain decoding, one token a pass, as simple as can be: what every drafted completion must equal.
 * It deliberately shares no code with the loop it judges, and holds nothing back: the text is looked at as a whole.
 */
export async function plainDecode(
  verifier: Verifier,
  prompt: ArrayLike<number>,
  sampler: Sampler,
  options: PlainOptions,
): Promise<{ tokens: number[]; text: string; finishReason: "stop" | "length" | "context" }> {
  const { maxTokens, minTokens = 0, eosIds = verifier.eosIds, stop = [] } = options;
  const ids = Array.from(prompt);
  const tokens: number[] = [];
  let free = "";
  let text = "";
  const searchStop = () => stop.map((word) => text.indexOf(word)).filter((at) => at >= 0);
  const session = await verifier.open();
  try {
    await session.prefill(Int32Array.from(ids));
    for (;;) {
      if (tokens.length === maxTokens || ids.length === verifier.contextLength) {
        text += options.text?.end() ?? "";
        const found = searchStop();
        if (found.length > 0) return { tokens, text: free + text.slice(0, Math.min(...found)), finishReason: "stop" };
        return { tokens, text: free + text, finishReason: tokens.length === maxTokens ? "length" : "context" };
      }
      const root = ids[ids.length - 1]!;
      const rows = await session.verify({ tokens: Int32Array.of(root), parents: Int32Array.of(-1) }, { logits: true });
      const logits = rows.logits(0).slice();
      if (tokens.length < minTokens) for (const id of eosIds) logits[id] = Number.NEGATIVE_INFINITY;
      const token = sampler.token(logits, ids.length, Int32Array.from(ids));
      await session.commit(Int32Array.of(0));
      ids.push(token);
      tokens.push(token);
      if (eosIds.includes(token)) {
        text += options.text?.end() ?? "";
        const found = searchStop();
        return {
          tokens,
          text: free + (found.length > 0 ? text.slice(0, Math.min(...found)) : text),
          finishReason: "stop",
        };
      }
      text += options.text?.push([token]) ?? "";
      if (tokens.length < minTokens) {
        free += text;
        text = "";
      }
      const found = searchStop();
      if (found.length > 0) return { tokens, text: free + text.slice(0, Math.min(...found)), finishReason: "stop" };
    }
  } finally {
    await session.dispose();
  }
}
