import type { Boundaries, CountedLevel, Stream } from "./count.ts";

/**
 * Index, level by level, of the n-gram that lmplz meets last in its own order; -1 where there is none. When lmplz counts
 * counts for the discounts of an order below the highest, it takes this one n-gram as often as it occurs, not by the
 * distinct ids before it. That shows in a tiny corpus and nowhere else, but equality is equality.
 *
 * Its order: words are numbered as they first appear, after <s> and </s>; n-grams are sorted by their last word, then the one
 * before it, and so on; a sentence has <s> before it as often as the order asks for.
 */
export function lastOfLmplz(
  { ids }: Stream,
  levels: readonly CountedLevel[],
  { begin, end }: Required<Boundaries>,
): Int32Array {
  const rank = new Map<number, number>().set(begin, 1).set(end, 2);
  for (const id of ids) if (!rank.has(id)) rank.set(id, rank.size + 1);

  /** Position of the k-th id before `p`, or of the `begin` that stands for all before the sentence. */
  const back = (p: number, k: number) => {
    while (k > 0 && ids[p] !== begin) {
      p--;
      k--;
    }
    return p;
  };
  const newest = ids.reduce((best, id) => (rank.get(id)! > rank.get(best)! ? id : best), begin);
  let ends: number[] = [];
  for (let p = 0; p < ids.length; p++) if (ids[p] === newest) ends.push(p);
  for (let k = 1; k < levels.length; k++) {
    const most = ends.reduce((best, p) => Math.max(best, rank.get(ids[back(p, k)]!)!), 0);
    ends = ends.filter((p) => rank.get(ids[back(p, k)]!) === most);
  }
  const last = ends[0]!;
  return Int32Array.from(levels, (_, i) => {
    const start = back(last, i);
    return last - start < i ? -1 : indexOf(levels, ids.subarray(start, last + 1));
  });
}

function indexOf(levels: readonly CountedLevel[], gram: Uint32Array): number {
  let found = 0;
  for (const [i, id] of gram.entries()) {
    const { tokens, prefixes } = levels[i]!;
    const before = (at: number) => (i > 0 && prefixes[at] !== found ? prefixes[at]! < found : tokens[at]! < id);
    let low = 0;
    for (let high = tokens.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (before(middle)) low = middle + 1;
      else high = middle;
    }
    found = low;
  }
  return found;
}
