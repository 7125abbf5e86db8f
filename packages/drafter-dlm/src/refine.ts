import { DiffuSpecError } from "@diffuspec/contracts";
import type { TopM } from "@diffuspec/lattice";
import type { Forward } from "./forward.ts";

export interface Refinement {
  /** Committed ids that are not cached yet. */
  readonly fresh: Int32Array;
  /** What the target showed of them; absent: nothing. */
  readonly taps?: Float32Array;
  readonly head: Int32Array;
  /** Length of the block. */
  readonly masks: number;
  readonly maskId: number;
  /** S. */
  readonly steps: number;
  /** M: entries of a row. */
  readonly top: number;
  /** Rewrites a row of the table in place each time the model has filled it; before anything is revealed by it. */
  readonly adjust?: (table: TopM, row: number) => void;
  /** Called between passes; throws to stop. */
  readonly check: () => void;
}

/**
 * S refinement steps (Eq. 5). Each step but the last reveals the most confident masks, ceil(k / S) of them, by their argmax
 * and lets the others look at them; of equally confident ones the first goes first. A position's row of the table is that of
 * the last pass in which it was masked. Later steps feed the head and the block only.
 *
 * With S = 1 this is the single pass; with k < S there are as many passes as masks.
 *
 * @throws ERR_CONTRACT where the model gives NaN, an infinite best logit, or rows that are not best first
 */
export async function refine(forward: Forward, request: Refinement): Promise<TopM> {
  const { fresh, taps, head, masks, maskId, steps, top, adjust, check } = request;
  const block = new Int32Array(masks).fill(maskId);
  let open = Int32Array.from(block, (_, i) => i);
  const table = await forward.draft(fresh, head, block, open, taps);
  checkTable(table, masks, top);
  const share = Math.ceil(masks / steps);
  for (let step = 1; ; step++) {
    if (adjust) for (const i of open) adjust(table, i);
    if (step === steps || open.length <= share) return table;
    check();
    const confidence = (i: number) => table.logits[i * top]! - table.logSumExp[i]!;
    const ranked = [...open].sort((a, b) => confidence(b) - confidence(a) || a - b);
    for (const i of ranked.slice(0, share)) block[i] = table.ids[i * top]!;
    open = Int32Array.from(ranked.slice(share)).sort();
    const next = await forward.draft(new Int32Array(0), head, block, open);
    checkTable(next, open.length, top);
    for (const [row, i] of open.entries()) {
      table.ids.set(next.ids.subarray(row * top, (row + 1) * top), i * top);
      table.logits.set(next.logits.subarray(row * top, (row + 1) * top), i * top);
      table.logSumExp[i] = next.logSumExp[row]!;
    }
  }
}

function checkTable({ ids, logits, logSumExp }: TopM, rows: number, top: number): void {
  if (ids.length !== rows * top || logits.length !== rows * top || logSumExp.length !== rows)
    throw badTable(`its table is not one of ${rows} rows of ${top}`);
  for (let row = 0; row < rows; row++) {
    const first = row * top;
    if (!Number.isFinite(logits[first]) || !Number.isFinite(logSumExp[row]))
      throw badTable(`a position has the best logit ${logits[first]} and ln sum exp ${logSumExp[row]}`);
    for (let cell = first + 1; cell < first + top; cell++)
      if (!(logits[cell]! <= logits[cell - 1]!))
        throw badTable(`the logit ${logits[cell]} stands after ${logits[cell - 1]}, and best comes first`);
  }
}

const badTable = (why: string) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: "The diffusion drafter's graph gave something that is no distribution",
    why,
    next: "Check the model's files, or try its fp32 graph.",
  });
