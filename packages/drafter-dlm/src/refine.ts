import type { TopM } from "@diffuspec/lattice";
import type { Forward } from "./forward.ts";

/**
 * S refinement steps (Eq. 5). Each step but the last reveals the most confident masks, ceil(k / S) of them, by their argmax
 * and lets the others look at them. A position's row of the table is that of the last pass in which it was masked.
 *
 * With S = 1 this is the single pass.
 */
export async function refine(
  forward: Forward,
  {
    fresh,
    head,
    masks,
    maskId,
    steps,
    top,
  }: {
    readonly fresh: Int32Array;
    readonly head: Int32Array;
    readonly masks: number;
    readonly maskId: number;
    readonly steps: number;
    readonly top: number;
  },
): Promise<TopM> {
  const block = new Int32Array(masks).fill(maskId);
  let open = Int32Array.from(block, (_, i) => i);
  const table = await forward.draft(fresh, head, block, open);
  const share = Math.ceil(masks / steps);
  for (let step = 1; step < steps && open.length > share; step++) {
    const confidence = (i: number) => table.logits[i * top]! - table.logSumExp[i]!;
    const ranked = [...open].sort((a, b) => confidence(b) - confidence(a) || a - b);
    for (const i of ranked.slice(0, share)) block[i] = table.ids[i * top]!;
    open = Int32Array.from(ranked.slice(share)).sort();
    const next = await forward.draft(new Int32Array(0), head, block, open);
    for (const [row, i] of open.entries()) {
      table.ids.set(next.ids.subarray(row * top, (row + 1) * top), i * top);
      table.logits.set(next.logits.subarray(row * top, (row + 1) * top), i * top);
      table.logSumExp[i] = next.logSumExp[row]!;
    }
  }
  return table;
}
