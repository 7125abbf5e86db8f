/** A completion loops where at least half of its 4-grams repeat an earlier one; loops flatter every drafter. */
export const LOOP_SHARE = 0.5;

/** Share of the 4-grams of `ids` that occurred before in it, in [0, 1]. */
export function repeatedShare(ids: ArrayLike<number>): number {
  const seen = new Set<string>();
  const count = ids.length - 3;
  if (count <= 0) return 0;
  for (let i = 0; i < count; i++) seen.add(`${ids[i]},${ids[i + 1]},${ids[i + 2]},${ids[i + 3]}`);
  return 1 - seen.size / count;
}
