import type { CountedLevel } from "./count.ts";

/**
 * Index, level by level, of the n-gram that lmplz meets last in its own order; -1 where there is none. When lmplz counts
 * counts for the discounts of an order below the highest, it takes this one n-gram as often as it occurs, not by the
 * distinct ids before it. That shows in a tiny corpus and nowhere else, but equality is equality.
 *
 * Its order: words are numbered as they first appear, after <s> and </s>; n-grams are sorted by their last word, then the one
 * before it, and so on; a sentence has <s> before it as often as the order asks for.
 *
 * @param ranks ids but for the boundaries, numbered as they first appear
 */
export function lastOfLmplz(
  ranks: ReadonlyMap<number, number>,
  levels: readonly CountedLevel[],
  begin: number,
): Int32Array {
  const found = new Int32Array(levels.length).fill(-1);
  const rank = (id: number) => ranks.get(id) ?? (id === begin ? -2 : -1);
  /** First id of every n-gram of the level at hand. */
  let first: ArrayLike<number> = [];
  for (const [i, { tokens, prefixes, suffixes }] of levels.entries()) {
    const below = first;
    first = i === 0 ? tokens : Uint32Array.from(prefixes, (prefix) => below[prefix]!);
    const shorter = i === 0 ? -1 : found[i - 1]!;
    if (i > 0 && below[shorter] === begin) break; // nothing stands before a sentence
    let best = -1;
    for (let g = 0; g < tokens.length; g++)
      if ((i === 0 || suffixes[g] === shorter) && (best === -1 || rank(first[g]!) > rank(first[best]!))) best = g;
    found[i] = best;
  }
  return found;
}
