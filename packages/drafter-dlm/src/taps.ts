import { DiffuSpecError, type Outcome, type Tap } from "@diffuspec/contracts";

/** The target's hidden rows of committed ids that the drafter has not read yet. */
export interface TapStore {
  /** Forgets everything. */
  clear(): void;
  /** Keeps the rows that chose an outcome's committed ids; the first of them stands at the index `first` of the text. */
  observe(first: number, outcome: Outcome): void;
  /** The rows of the ids at first..first+count-1, zeros for those never seen; they are forgotten. [count, taps, width] */
  take(first: number, count: number): Float32Array;
}

/**
 * A row belongs to a committed id and is the target's hidden row one position before it: the row that chose the id. Ids of
 * a prompt have none.
 *
 * @param width values of one tap
 */
export function createTapStore(taps: readonly Tap[], width: number): TapStore {
  const size = taps.length * width;
  const rows = new Map<number, Float32Array>();
  return {
    clear: () => rows.clear(),
    observe(first, { rows: seen, path, committed }) {
      for (let i = 0; i < committed.length; i++) {
        const row = new Float32Array(size);
        for (const [t, tap] of taps.entries()) {
          const values = seen.tap(path[i]!, tap);
          if (values.length !== width) throw foreign(tap, values.length, width);
          row.set(values, t * width);
        }
        rows.set(first + i, row);
      }
    },
    take(first, count) {
      const out = new Float32Array(count * size);
      for (let i = 0; i < count; i++) {
        const row = rows.get(first + i);
        if (row) out.set(row, i * size);
        rows.delete(first + i);
      }
      return out;
    },
  };
}

const foreign = (tap: Tap, found: number, wanted: number) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The target's tap ${tap} does not fit the diffusion drafter`,
    why: `it is ${found} wide, and the drafter was made for ${wanted}`,
    next: "Use the drafter with the target it was trained on, or leave the taps out (taps: false).",
  });
