/** Discounts of n-grams that count once, twice, three times and more. */
export type Discounts = readonly [number, number, number];

/** What lmplz takes with --discount_fallback and no numbers. */
export const FALLBACK_DISCOUNTS: Discounts = [0.5, 1, 1.5];

/**
 * Discounts of one order from its counts of counts (Chen and Goodman 1998, eq. 26). `fallback` stands in, for that order
 * alone, where they say nothing: no n-gram that counts 1, 2 or 3, or a discount not in (0, 1], (0, 2], (0, 3] (a tiny or an
 * artificial corpus). lmplz stops there unless it is given a fallback; its bounds allow 0, which would leave contexts
 * without any mass to back off with.
 *
 * @param counts adjusted counts of all n-grams of the order; zeros are ignored
 * @param lmplz takes its bounds, and its 32-bit floats, which decide at the bounds
 */
export function discountsOf(counts: Uint32Array, fallback: Discounts = FALLBACK_DISCOUNTS, lmplz = false): Discounts {
  const times = [0, 0, 0, 0, 0];
  for (const count of counts) if (count <= 4) times[count]!++;
  const [, n1, n2, n3, n4] = times as [number, number, number, number, number];
  if (n1 === 0 || n2 === 0 || n3 === 0) return fallback;
  if (lmplz) {
    const share = round(n1 / (n1 + 2 * n2));
    const at = (i: number) => round(i - round(round(round((i + 1) * share) * round(times[i + 1]!)) / round(times[i]!)));
    const theirs = [at(1), at(2), at(3)] as const;
    return theirs.every((value, i) => value >= 0 && value <= i + 1) ? theirs : fallback;
  }
  const y = n1 / (n1 + 2 * n2);
  const found = [1 - (2 * y * n2) / n1, 2 - (3 * y * n3) / n2, 3 - (4 * y * n4) / n3] as const;
  return found.every(isDiscount) ? found : fallback;
}

const round = Math.fround;

/** The discount of an n-gram that counts `index + 1` takes something and no more than there is. */
export function isDiscount(value: number, index: number): boolean {
  return value > 0 && value <= index + 1;
}

export function discountOf(count: number, discounts: Discounts): number {
  return count === 0 ? 0 : discounts[Math.min(count, 3) - 1]!;
}
