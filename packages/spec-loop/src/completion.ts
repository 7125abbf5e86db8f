import type { Plan } from "./generate-options.ts";
import { createStopText } from "./stop-text.ts";

/** "stop": an end-of-text id or a stop string; "length": maxTokens; "context": the target's context is full. */
export type FinishReason = "stop" | "length" | "context";

export interface GrowingCompletion {
  /** Prompt and completion; room behind `length` for what a round tries. */
  readonly ids: Int32Array;
  readonly length: number;
  /** Tokens that may still be committed. */
  readonly room: number;
  readonly finishReason: FinishReason | null;
  /** A copy of the ids after the prompt. */
  readonly tokens: Int32Array;
  readonly text: string;
  /** Commits tokens one by one, as plain decoding would, and cuts after the one that ends the text. Gives what was kept. */
  take(tokens: readonly number[]): { kept: number; texts: string[] };
}

/** The ids of one generation and the one place where it ends. */
export function createCompletion(plan: Plan, contextLength: number): GrowingCompletion {
  const prompt = plan.prompt.length;
  const end = Math.min(prompt + plan.maxTokens, contextLength);
  const ids = new Int32Array(end + 1);
  ids.set(plan.prompt);
  const words = plan.text && createStopText(plan.text, plan.stop);
  let length = prompt;
  let text = "";
  let finishReason: FinishReason | null = limitReached();

  function limitReached(): FinishReason | null {
    if (length - prompt === plan.maxTokens) return "length";
    return length === contextLength ? "context" : null;
  }

  /** Commits one id; gives the text it released. */
  function add(token: number): string {
    ids[length++] = token;
    let piece = "";
    if (plan.eosIds.includes(token)) finishReason = "stop";
    else if (words) {
      const found = words.push(token, length - prompt >= plan.minTokens);
      piece = found.text;
      if (found.matched) finishReason = "stop";
      if (found.matched) return piece;
    }
    finishReason ??= limitReached();
    if (finishReason === null || !words) return piece;
    const last = words.end();
    if (last.matched) finishReason = "stop";
    return piece + last.text;
  }

  return {
    ids,
    get length() {
      return length;
    },
    get room() {
      return end - length;
    },
    get finishReason() {
      return finishReason;
    },
    get tokens() {
      return ids.slice(prompt, length);
    },
    get text() {
      return text;
    },
    take(tokens) {
      const texts: string[] = [];
      let kept = 0;
      while (kept < tokens.length && finishReason === null) {
        const piece = add(tokens[kept++]!);
        text += piece;
        if (words) texts.push(piece);
      }
      return { kept, texts };
    },
  };
}
