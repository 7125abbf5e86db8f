import { tokenArray } from "./model.ts";

/** Distinct n-grams of one order in ascending order. */
export interface CountedLevel {
  /** Last id of each. */
  readonly tokens: Uint16Array | Uint32Array;
  /** Times each occurs. */
  readonly counts: Uint32Array;
  /** Index of its first n - 1 ids in the level below; empty for order 1. */
  readonly prefixes: Uint32Array;
  /** Index of its last n - 1 ids in the level below; empty for order 1. */
  readonly suffixes: Uint32Array;
}

/** Sequences behind one another, and for every position how many ids are left in its sequence. */
export interface Stream {
  readonly ids: Uint32Array;
  readonly left: Uint32Array;
}

/** Ids put before and after every sequence. */
export interface Boundaries {
  readonly begin?: number;
  readonly end?: number;
}

/**
 * Counts all n-grams up to `order`, in time linear in the stream for each order: positions are sorted by their last id, then
 * by the index of the n-gram one order below that begins there. Memory: 24 bytes a token beside the result.
 */
export function countNgrams({ ids, left }: Stream, order: number, vocabularySize: number): CountedLevel[] {
  const levels: CountedLevel[] = [];
  let below = new Uint32Array(0); // index of the (n - 1)-gram that begins at a position
  for (let n = 1; n <= order; n++) {
    let positions = beginnings(left, n);
    positions = sortedBy(positions, (p) => ids[p + n - 1]!, vocabularySize);
    if (n > 1) positions = sortedBy(positions, (p) => below[p]!, levels[n - 2]!.tokens.length);

    const isNew = (i: number) => {
      if (i === 0) return true;
      const p = positions[i]!;
      const q = positions[i - 1]!;
      return ids[p + n - 1] !== ids[q + n - 1] || (n > 1 && below[p] !== below[q]);
    };
    let size = 0;
    for (let i = 0; i < positions.length; i++) if (isNew(i)) size++;
    const tokens = tokenArray(vocabularySize, size);
    const counts = new Uint32Array(size);
    const prefixes = new Uint32Array(n > 1 ? size : 0);
    const suffixes = new Uint32Array(n > 1 ? size : 0);
    const here = new Uint32Array(ids.length);
    for (let i = 0, at = -1; i < positions.length; i++) {
      const p = positions[i]!;
      if (isNew(i)) {
        tokens[++at] = ids[p + n - 1]!;
        if (n > 1) {
          prefixes[at] = below[p]!;
          suffixes[at] = below[p + 1]!;
        }
      }
      counts[at]!++;
      here[p] = at;
    }
    levels.push({ tokens, counts, prefixes, suffixes });
    below = here;
  }
  return levels;
}

/**
 * What Kneser-Ney counts, one array a level: occurrences at the highest order; below it the distinct ids that come before,
 * and at least 1 for an n-gram that only ever stands where a sequence begins. N-grams that start with the `begin` id have
 * nothing before them and keep their occurrences (as in lmplz); `begin` itself is never predicted and counts nothing.
 */
export function adjustedCounts(levels: readonly CountedLevel[], begin: number | undefined): Uint32Array[] {
  let begins = new Uint8Array(0);
  return levels.map(({ tokens, counts, prefixes }, i) => {
    const below = begins;
    begins = new Uint8Array(tokens.length);
    for (let g = 0; g < begins.length; g++) begins[g] = i === 0 ? Number(tokens[g] === begin) : below[prefixes[g]!]!;
    const above = levels[i + 1];
    const adjusted = above ? new Uint32Array(tokens.length) : counts.slice();
    if (above) for (const suffix of above.suffixes) adjusted[suffix]!++;
    for (let g = 0; g < adjusted.length; g++)
      if (begins[g] === 1) adjusted[g] = i === 0 ? 0 : counts[g]!;
      else if (adjusted[g] === 0) adjusted[g] = 1;
    return adjusted;
  });
}

/** Positions where at least `n` ids are left. */
function beginnings(left: Uint32Array, n: number): Uint32Array<ArrayBuffer> {
  let size = 0;
  for (let p = 0; p < left.length; p++) if (left[p]! >= n) size++;
  const positions = new Uint32Array(size);
  for (let p = 0, at = 0; p < left.length; p++) if (left[p]! >= n) positions[at++] = p;
  return positions;
}

/** A stable counting sort. */
function sortedBy(positions: Uint32Array, key: (position: number) => number, keys: number): Uint32Array<ArrayBuffer> {
  const ends = new Uint32Array(keys + 1);
  for (let i = 0; i < positions.length; i++) ends[key(positions[i]!) + 1]!++;
  for (let k = 0; k < keys; k++) ends[k + 1]! += ends[k]!;
  const sorted = new Uint32Array(positions.length);
  for (let i = 0; i < positions.length; i++) sorted[ends[key(positions[i]!)]!++] = positions[i]!;
  return sorted;
}
