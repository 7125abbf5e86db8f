import { DiffuSpecError } from "@diffuspec/contracts";

/** The best entries of one position, best first, equal values by lowest id. Filled anew for every position. */
export interface RankedRow {
  readonly ids: Int32Array;
  readonly values: Float64Array;
  count: number;
}

export const rankedRow = (capacity: number): RankedRow => ({
  ids: new Int32Array(capacity),
  values: new Float64Array(capacity),
  count: 0,
});

/** Puts an entry where it belongs; the worst one falls off a full row. */
export function insert(row: RankedRow, id: number, value: number): void {
  const { ids, values } = row;
  let at = row.count;
  if (at === ids.length) {
    at--;
    if (!before(value, id, values[at], ids[at])) return;
  } else row.count++;
  for (; at > 0 && before(value, id, values[at - 1], ids[at - 1]); at--) {
    ids[at] = ids[at - 1];
    values[at] = values[at - 1];
  }
  ids[at] = id;
  values[at] = value;
}

const before = (value: number, id: number, otherValue: number, otherId: number) =>
  value > otherValue || (value === otherValue && id < otherId);

/**
 * Ranks logits[start .. start + size - 1], whose ids are 0 .. size - 1, without the struck ones; the values stay raw.
 *
 * @returns ln of the sum of exp over the ids that are not struck
 * @throws ERR_CONTRACT on NaN, on +Infinity, and where nothing is left
 */
export function rankLogits(
  row: RankedRow,
  logits: Float32Array,
  start: number,
  size: number,
  struck: Uint8Array,
  position: number,
): number {
  row.count = 0;
  const capacity = row.ids.length;
  let worst = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < size; id++) {
    const value = logits[start + id];
    // Ids come in ascending order, so an equal value never displaces an earlier one.
    if (value <= worst || (id < struck.length && struck[id] === 1)) continue;
    insert(row, id, value);
    if (row.count === capacity) worst = row.values[capacity - 1];
  }
  const max = row.values[0];
  let sum = 0;
  if (row.count > 0 && max < Number.POSITIVE_INFINITY)
    for (let id = 0; id < size; id++)
      if (id >= struck.length || struck[id] === 0) sum += Math.exp(logits[start + id] - max);
  // A NaN anywhere makes the sum NaN; an empty row and +Infinity leave it at 0.
  if (!(sum > 0))
    throw badRow(Number.isNaN(sum + max) ? "a logit is NaN" : "no id with a finite value is left", position);
  return max + Math.log(sum);
}

export const badRow = (why: string, position: number) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The lattice cannot read position ${position}`,
    why,
    next: "Check the drafter's graph and the ids that are struck.",
    details: { position },
  });
