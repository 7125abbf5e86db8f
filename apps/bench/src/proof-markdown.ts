import type { Circumstances } from "./circumstances.ts";
import { table } from "./markdown.ts";
import type { ProofSummary } from "./proof-summary.ts";

export interface ProofResult extends ProofSummary {
  readonly pair: string;
  readonly suite: string;
  readonly prompts: number;
  readonly maxTokens: number;
  /** Of the sampled completions. */
  readonly seed: number;
  readonly precision: string;
  readonly threads: number;
  readonly sittings: readonly Circumstances[];
}

/** What was compared, and how much of it was equal, in Markdown that also reads well in a terminal. */
export function proofTables(result: ProofResult): string {
  const { pair, suite, prompts, maxTokens, precision, combinations, modes, completions, equal, tokens, left } = result;
  return [
    `${pair}, ${precision}: ${completions} completions (${combinations} ways to draft, ${modes} samplers, ${prompts} prompts of the suite "${suite}"), ${tokens} tokens, at most ${maxTokens} each.`,
    ...(left > 0 ? [`Not complete: ${left} pairs of a way to draft and a sampler are left.`] : []),
    verdict(result),
    "",
    table(
      ["", "completions", "equal"],
      [
        ["all", String(completions), String(equal)],
        ...result.parts.flatMap(({ part, values }) =>
          values.map((row) => [`${part}: ${row.value}`, String(row.completions), String(row.equal)]),
        ),
      ],
    ),
    "",
  ].join("\n");
}

function verdict({ identical, completions, equal, differing }: ProofResult): string {
  if (identical) return `All ${completions} equal plain AR's (exact), ids and lengths.`;
  return `${completions - equal} DIFFER from plain AR's (exact): ${JSON.stringify(differing.slice(0, 5))}`;
}
