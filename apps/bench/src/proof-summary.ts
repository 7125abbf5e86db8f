import type { ProofRecord } from "./prove.ts";

export type ProofSummary = ReturnType<typeof summariseProof>;

/** What a proof is told by, as its tables head them. */
const PARTS = {
  drafter: "method",
  controller: "controller",
  steps: "S",
  shape: "shape",
  sampler: "sampler",
} as const satisfies Partial<Record<keyof ProofRecord, string>>;

/** How many completions equal arExact's, in ids and lengths: in all, and by what made them. */
export function summariseProof(records: readonly ProofRecord[], total: number) {
  const ways = new Set(
    records.map(({ drafter, controller, steps, shape }) => `${drafter} ${controller} ${steps} ${shape}`),
  );
  const differing = records.flatMap(({ differing: places, completions: _, tokens: __, ...cell }) =>
    places.map((place) => ({ ...cell, ...place })),
  );
  return {
    identical: differing.length === 0,
    /** Whether nothing of the grid is left. */
    complete: records.length === total,
    left: total - records.length,
    /** Ways to draft, and ways to choose tokens, that were tried with each other. */
    combinations: ways.size,
    modes: new Set(records.map(({ sampler }) => sampler)).size,
    ...counts(records),
    tokens: records.reduce((sum, { tokens }) => sum + tokens, 0),
    parts: (Object.keys(PARTS) as (keyof typeof PARTS)[]).map((key) => ({
      part: PARTS[key],
      values: [...new Set(records.map((record) => record[key]))].map((value) => ({
        value,
        ...counts(records.filter((record) => record[key] === value)),
      })),
    })),
    differing,
  };
}

function counts(records: readonly ProofRecord[]) {
  const completions = records.reduce((sum, record) => sum + record.completions, 0);
  return { completions, equal: completions - records.reduce((sum, { differing }) => sum + differing.length, 0) };
}
