import { DiffuSpecError } from "@diffuspec/contracts";
import { idSet, rankedRow, rankLogits } from "@diffuspec/lattice";
import { type Canvas, UNSEEN } from "@diffuspec/onnx-decoder";
import type { Forward } from "./forward.ts";

export interface CanvasForwardOptions {
  readonly canvas: Pick<Canvas, "mask" | "run" | "vocabularySize">;
  readonly maskId: number;
  /** Most known ids in front of the block. */
  readonly window: number;
  /** 1: the logits of a place stand in the row before it. */
  readonly shift: 0 | 1;
  /** Entries of a row of the table. */
  readonly top: number;
  /** Candidates are below this id. */
  readonly candidates: number;
  /** Never candidates: the mask, and ids that mean something else to the target. */
  readonly struckIds: readonly number[];
  /** Ids of the target that the model must not read as its own: shown as masks. */
  readonly foreignIds: readonly number[];
  /** Logits are divided by it. */
  readonly temperature: number;
  /** Attention by blocks of this many places, counted from the end; undefined: everything sees everything. */
  readonly blockSize: number | undefined;
}

/**
 * The forward of a model without a cache: what is "cached" are the ids, and each draft is a pass over the last of them and
 * the block. Ids that the model does not know are shown as masks: to a masked model that is what a mask means.
 */
export function createCanvasForward(options: CanvasForwardOptions): Forward {
  const { canvas, maskId, window, shift, top, candidates, struckIds, foreignIds, temperature, blockSize } = options;
  const struck = idSet(struckIds);
  const foreign = new Set(foreignIds);
  const ranked = rankedRow(top);
  let ids: number[] = [];

  /** As the model may read it. */
  const shown = (id: number): number => {
    if (!(Number.isInteger(id) && id >= 0)) throw notAnId(id);
    return id < canvas.vocabularySize && !foreign.has(id) ? id : maskId;
  };

  return {
    get length() {
      return ids.length;
    },
    async extend(more) {
      const read = Array.from(more, shown);
      ids.push(...read);
    },
    async draft(fresh, head, block, rows) {
      const read = Array.from(fresh, shown);
      const known = [...ids.slice(-window), ...read, ...Array.from(head, shown)].slice(-window);
      const count = known.length + block.length;
      const byBlocks = canvas.mask === "additive" && blockSize !== undefined;
      const pass = await canvas.run(
        Int32Array.from([...known, ...block]),
        byBlocks ? blocksBias(count, blockSize) : undefined,
      );
      ids.push(...read);
      const table = {
        ids: new Int32Array(rows.length * top),
        logits: new Float32Array(rows.length * top),
        logSumExp: new Float32Array(rows.length),
      };
      for (const [i, row] of rows.entries()) {
        const logits = pass.logits(known.length + row - shift);
        const scaled = temperature === 1 ? logits : logits.map((value) => value / temperature);
        table.logSumExp[i] = rankLogits(ranked, scaled, 0, candidates, struck, row);
        table.ids.set(ranked.ids, i * top);
        table.logits.set(ranked.values, i * top);
      }
      return table;
    },
    truncate(length) {
      ids.length = Math.min(ids.length, length);
    },
    dispose() {
      ids = [];
    },
  };
}

/**
 * Attention bias of block diffusion, row-major [count, count]: a place sees its own block and those before it. Blocks are
 * counted from the end, so that the masks of a draft stand in one block with the ids right before them; rotary positions
 * are relative, so the model does not see where the count began.
 */
export function blocksBias(count: number, blockSize: number): Float32Array {
  const out = new Float32Array(count * count);
  for (let i = 0; i < count; i++) {
    const end = count - Math.floor((count - 1 - i) / blockSize) * blockSize;
    out.fill(UNSEEN, i * count + end, (i + 1) * count);
  }
  return out;
}

const notAnId = (id: number) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The canvas drafter was shown the id ${id}`,
    why: "a token id is an integer >= 0",
    next: "Check the ids that were committed.",
  });
