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

export function concatenate(sequences: Iterable<ArrayLike<number>>, check: (id: number) => void): Stream {
  let ids = new Uint32Array(1 << 16);
  let left = new Uint32Array(1 << 16);
  let length = 0;
  for (const sequence of sequences) {
    if (length + sequence.length > ids.length) {
      ids = grown(ids, 2 * (length + sequence.length));
      left = grown(left, ids.length);
    }
    for (let i = 0; i < sequence.length; i++) {
      check(sequence[i]!);
      ids[length] = sequence[i]!;
      left[length++] = sequence.length - i;
    }
  }
  return { ids: ids.subarray(0, length), left: left.subarray(0, length) };
}

/**
 * Counts all n-grams up to `order`, in time linear in the stream for each order: positions are sorted by their last id, then
 * by the index of the n-gram one order below that begins there. Memory: 16 bytes a token beside the result.
 */
export function countNgrams({ ids, left }: Stream, order: number, vocabularySize: number): CountedLevel[] {
  const levels: CountedLevel[] = [];
  let below = new Uint32Array(0); // index of the (n - 1)-gram that begins at a position
  for (let n = 1; n <= order; n++) {
    let positions = Uint32Array.from(left.keys()).filter((p) => left[p]! >= n);
    positions = sortedBy(positions, (p) => ids[p + n - 1]!, vocabularySize);
    if (n > 1) positions = sortedBy(positions, (p) => below[p]!, levels[n - 2]!.tokens.length);

    const isNew = (i: number) => {
      const [p, q] = [positions[i]!, positions[i - 1]!];
      return i === 0 || ids[p + n - 1] !== ids[q + n - 1] || (n > 1 && below[p] !== below[q]);
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

/** A stable counting sort. */
function sortedBy(positions: Uint32Array, key: (position: number) => number, keys: number): Uint32Array<ArrayBuffer> {
  const ends = new Uint32Array(keys + 1);
  for (let i = 0; i < positions.length; i++) ends[key(positions[i]!) + 1]!++;
  for (let k = 0; k < keys; k++) ends[k + 1]! += ends[k]!;
  const sorted = new Uint32Array(positions.length);
  for (let i = 0; i < positions.length; i++) sorted[ends[key(positions[i]!)]!++] = positions[i]!;
  return sorted;
}

function grown(from: Uint32Array, room: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(room);
  to.set(from);
  return to;
}
