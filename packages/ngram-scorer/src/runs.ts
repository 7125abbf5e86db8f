import { type CountedLevel, countNgrams, type Stream } from "./count.ts";
import { optionError } from "./errors.ts";
import type { Overflow } from "./estimate.ts";
import type { Settings } from "./estimate-options.ts";
import { tokenArray } from "./model.ts";

/** Where bytes are kept outside of memory: appended, and read again from anywhere. */
export interface RunStore {
  append(bytes: Uint8Array): void;
  /** Fills `into` from byte `at` on. */
  read(into: Uint8Array, at: number): void;
}

/** The n-grams of one order in one part of the corpus, ascending: records of n ids and a count, 32 bits each. */
interface Run {
  readonly start: number;
  readonly records: number;
}

/** Records in memory of one run, and of all runs while they are merged. */
const BLOCK = 4096;
const BLOCKS = 2 ** 18;

/** An upper bound for what a distinct n-gram takes in memory, from its merging to its place in the model. */
export const BYTES_PER_NGRAM = 56;

/**
 * Counts a corpus part by part: the counts of each go to the store, sorted, and are merged when it has ended. Kept in memory:
 * a part while it is counted, then every distinct n-gram.
 *
 * @param mostNgrams distinct n-grams of all orders; one more is ERR_OPTION
 */
export function createRuns({ order }: Settings, store: RunStore, mostNgrams: number): Overflow {
  const runs: Run[][] = Array.from({ length: order }, () => []);
  let length = 0;

  function put(part: Stream, vocabularySize: number): void {
    const levels = countNgrams(part, order, vocabularySize);
    for (const [i, { counts }] of levels.entries()) {
      runs[i]!.push({ start: length, records: counts.length });
      for (const block of recordsOf(levels, i)) {
        store.append(block);
        length += block.length;
      }
    }
  }

  return {
    put: (part) => put(part, 1 + part.ids.reduce((most, id) => Math.max(most, id), 0)),
    counted(rest, vocabularySize) {
      put(rest, vocabularySize);
      const merged: Merged[] = [];
      let room = mostNgrams;
      for (let n = 1; n <= order; n++) {
        const level = merge(runs[n - 1]!, n, merged, { vocabularySize, store, room });
        room -= level.tokens.length;
        merged.push(level);
      }
      return merged;
    },
  };
}

function* recordsOf(levels: readonly CountedLevel[], i: number): Generator<Uint8Array, void, void> {
  const width = i + 2;
  const { counts } = levels[i]!;
  const block = new Uint32Array(width * BLOCK);
  let at = 0;
  for (let g = 0; g < counts.length; g++) {
    for (let level = i, node = g; level >= 0; node = levels[level]!.prefixes[node]!, level--)
      block[at + level] = levels[level]!.tokens[node]!;
    block[at + i + 1] = counts[g]!;
    at += width;
    if (at < block.length) continue;
    yield new Uint8Array(block.buffer);
    at = 0;
  }
  yield new Uint8Array(block.buffer, 0, 4 * at);
}

interface Merged extends CountedLevel {
  /** Where the n-grams one order above begin that go on from each of these; filled when those are merged. */
  readonly childStart: Uint32Array;
}

/** One level of all runs of its order, of at most `room` n-grams. */
function merge(
  runs: readonly Run[],
  n: number,
  below: readonly Merged[],
  { vocabularySize, store, room }: { vocabularySize: number; store: RunStore; room: number },
): Merged {
  const first = runs.reduce((most, { records }) => Math.max(most, records), 1); // as many there are at least
  let tokens = tokenArray(vocabularySize, first);
  let counts = new Uint32Array(first);
  let prefixes = new Uint32Array(n > 1 ? first : 0);
  const readers = runs
    .filter(({ records }) => records > 0)
    .map((run) => createReader(run, n, store, blockOf(runs.length)));
  const heap = createHeap(readers);
  const gram = new Uint32Array(n);
  const parents = below.at(-1);
  let size = 0;
  for (let reader = heap.least(); reader; reader = heap.least()) {
    const same = size > 0 && reader.startsWith(gram, n);
    if (!same) {
      const sameParent = size > 0 && reader.startsWith(gram, n - 1);
      for (let i = 0; i < n; i++) gram[i] = reader.word(i);
      if (size === room) throw tooMany(n);
      if (size === tokens.length) {
        const length = Math.min(Math.ceil(1.5 * size) + 16, room);
        tokens = grown(tokens, tokenArray(vocabularySize, length));
        counts = grown(counts, new Uint32Array(length));
        if (parents) prefixes = grown(prefixes, new Uint32Array(length));
      }
      tokens[size] = gram[n - 1]!;
      if (parents) {
        prefixes[size] = sameParent ? prefixes[size - 1]! : find(below, gram, 0, n - 1);
        parents.childStart[prefixes[size]! + 1]!++;
      }
      size++;
    }
    counts[size - 1]! += reader.word(n);
    heap.advanceLeast();
  }
  if (parents) for (let p = 1; p < parents.childStart.length; p++) parents.childStart[p]! += parents.childStart[p - 1]!;
  const level = {
    tokens: tokens.slice(0, size),
    counts: counts.slice(0, size),
    prefixes: prefixes.slice(0, size), // empty where there are none
    suffixes: new Uint32Array(n > 1 ? size : 0),
    childStart: new Uint32Array(size + 1),
  };
  if (n > 1) fillSuffixes([...below, level]);
  return level;
}

const tooMany = (n: number) =>
  optionError(
    `The corpus has more distinct n-grams than mostNgramBytes is room for, met at order ${n}`,
    `they stay in memory, up to ${BYTES_PER_NGRAM} bytes each`,
  );

function grown<T extends Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** The suffix of an n-gram goes on from the suffix of its prefix, with the same last id. */
function fillSuffixes(levels: readonly Merged[]): void {
  const { tokens, prefixes, suffixes } = levels.at(-1)!;
  const below = levels.at(-2)!;
  for (let g = 0; g < tokens.length; g++)
    suffixes[g] =
      levels.length === 2
        ? within(below.tokens, 0, below.tokens.length, tokens[g]!)
        : child(levels, levels.length - 3, below.suffixes[prefixes[g]!]!, tokens[g]!);
}

/** Index of gram[from .. to - 1], which is there. */
function find(levels: readonly Merged[], gram: Uint32Array, from: number, to: number): number {
  const singles = levels[0]!.tokens;
  let node = within(singles, 0, singles.length, gram[from]!);
  for (let i = from + 1; i < to; i++) node = child(levels, i - from - 1, node, gram[i]!);
  return node;
}

function child(levels: readonly Merged[], level: number, node: number, token: number): number {
  const { childStart } = levels[level]!;
  return within(levels[level + 1]!.tokens, childStart[node]!, childStart[node + 1]!, token);
}

/** The place of a token that is there. */
function within(tokens: ArrayLike<number>, from: number, to: number, token: number): number {
  let low = from;
  for (let high = to; low < high; ) {
    const middle = (low + high) >>> 1;
    if (tokens[middle]! < token) low = middle + 1;
    else high = middle;
  }
  return low;
}

const blockOf = (runs: number) => Math.max(16, Math.min(BLOCK, Math.floor(BLOCKS / runs)));

/** A run, at one of its records. */
interface Reader {
  /** The i-th id of the record; the n-th is its count. */
  word(i: number): number;
  startsWith(gram: Uint32Array, length: number): boolean;
  /** Goes to the next record; false after the last. */
  advance(): boolean;
  isBefore(other: Reader): boolean;
}

/** One run from its beginning, a block at a time. */
function createReader({ start, records }: Run, n: number, store: RunStore, most: number): Reader {
  const width = n + 1;
  const block = new Uint32Array(width * Math.min(records, most));
  let first = 0;
  let at = 0;
  const load = () => {
    const rest = Math.min(block.length, (records - first) * width);
    store.read(new Uint8Array(block.buffer, 0, 4 * rest), start + 4 * width * first);
    at = 0;
  };
  load();
  return {
    word: (i) => block[at + i]!,
    startsWith(gram, length) {
      for (let i = 0; i < length; i++) if (block[at + i] !== gram[i]) return false;
      return true;
    },
    advance() {
      at += width;
      if (first + at / width === records) return false;
      if (at === block.length) {
        first += block.length / width;
        load();
      }
      return true;
    },
    isBefore(other) {
      for (let i = 0; i < n; i++) if (block[at + i] !== other.word(i)) return block[at + i]! < other.word(i);
      return false;
    },
  };
}

/** A binary heap of readers, the one with the least record on top. */
function createHeap(readers: Reader[]) {
  const heap = [...readers];
  const sink = (from: number) => {
    for (let i = from; ; ) {
      const left = 2 * i + 1;
      if (left >= heap.length) return;
      const least = left + 1 < heap.length && heap[left + 1]!.isBefore(heap[left]!) ? left + 1 : left;
      if (!heap[least]!.isBefore(heap[i]!)) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  };
  for (let i = (heap.length >>> 1) - 1; i >= 0; i--) sink(i);
  return {
    least: (): Reader | undefined => heap[0],
    advanceLeast(): void {
      if (!heap[0]!.advance()) {
        const last = heap.pop()!;
        if (heap.length === 0) return;
        if (last !== heap[0]) heap[0] = last;
      }
      sink(0);
    },
  };
}
