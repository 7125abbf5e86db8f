/** Counts of the n-grams in the ids learnt last. Memory is fixed at construction. */
export interface RecentCounts {
  learn(id: number): void;
  forget(): void;
  /** The n-gram's node: {@link ROOT} for none of ids, -1 for one that was not seen. */
  child(node: number, id: number): number;
  /** Times an n-gram was seen. */
  count(node: number): number;
  /** Times an n-gram was seen with an id after it. */
  followers(node: number): number;
  /** Distinct ids seen after it. */
  kinds(node: number): number;
  /** The id seen after it most often, of equals the latest; -1 where none was. */
  mostLikely(node: number): number;
  /** Bytes held, always. */
  readonly bytes: number;
}

export const ROOT = 0;

/** Slots an n-gram, and slots at first. */
const ROOM = 1.5;
const FIRST_SLOTS = 2048;

/** A node is the place of its words in the table; side by side, because behind a model's pass each cache line is a wait. */
const WORDS = 6;
/** 1 + the node of the ids before the last; 0: free. */
const PARENT = 0;
const ID = 1;
const COUNT = 2;
const FOLLOWERS = 3;
const KINDS = 4;
/** The node of the most likely id; 0: none. */
const BEST = 5;

/**
 * A trie in a hash table of fixed size: an n-gram's key is the node of its first ids and its last id. Of the ids learnt, the
 * last `window` at least and twice as many at most are counted: when 2 * window are in, the table is emptied and the last
 * `window` are counted again, which costs each id once more. The part of the table in use doubles as it fills, which costs the
 * same.
 */
export function createRecentCounts(longest: number, window: number): RecentCounts {
  const history = new Int32Array(2 * window);
  let learnt = 0;
  const capacity = 2 ** Math.ceil(Math.log2(ROOM * (history.length * longest + 1)));
  const table = new Int32Array(WORDS * capacity);
  /** Slots in use: a short text stays in a few pages of memory. */
  let slots = Math.min(capacity, FIRST_SLOTS);
  let taken = 0;
  /** ends[m]: the n-gram of the last m ids. */
  const ends = new Int32Array(longest + 1);
  let depth = 0;
  clear();

  /** The place of a key, free where it is not in the table. */
  function placeOf(node: number, id: number): number {
    let mixed = Math.imul(node, 0x9e3779b1) ^ Math.imul(id + 1, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    for (let slot = mixed ^ (mixed >>> 15); ; slot++) {
      const place = WORDS * (slot & (slots - 1));
      const parent = table[place + PARENT]!;
      if (parent === 0 || (parent === node + 1 && table[place + ID] === id)) return place;
    }
  }

  function countOne(id: number): void {
    depth = Math.min(depth + 1, longest);
    for (let m = depth; m > 0; m--) {
      const node = ends[m - 1]!;
      const place = placeOf(node, id);
      if (table[place + PARENT] === 0) {
        table[place + PARENT] = node + 1;
        table[place + ID] = id;
        table[node + KINDS]!++;
        taken++;
      }
      const count = ++table[place + COUNT]!;
      table[node + FOLLOWERS]!++;
      const best = table[node + BEST]!;
      if (best === 0 || count >= table[best + COUNT]!) table[node + BEST] = place;
      ends[m] = place;
    }
  }

  /** Empties the table and counts again what the history holds from `first` on. */
  function recount(first: number): void {
    history.copyWithin(0, first, learnt);
    learnt -= first;
    clear();
    for (let i = 0; i < learnt; i++) countOne(history[i]!);
  }

  function clear(): void {
    table.fill(0, 0, WORDS * slots);
    taken = 1;
    // The root is no one's child: its key is none that is asked for.
    table[ROOT + PARENT] = 1;
    table[ROOT + ID] = -1;
    depth = 0;
  }

  return {
    bytes: table.byteLength + history.byteLength,
    learn(id) {
      if (learnt === history.length) recount(window);
      if (slots < capacity && ROOM * (taken + longest) > slots) {
        slots *= 2;
        recount(0);
      }
      history[learnt++] = id;
      countOne(id);
    },
    forget() {
      if (learnt > 0) clear();
      learnt = 0;
    },
    child(node, id) {
      const place = placeOf(node, id);
      return table[place + PARENT] === 0 ? -1 : place;
    },
    count: (node) => table[node + COUNT]!,
    followers: (node) => table[node + FOLLOWERS]!,
    kinds: (node) => table[node + KINDS]!,
    mostLikely: (node) => (table[node + BEST] === 0 ? -1 : table[table[node + BEST]! + ID]!),
  };
}
