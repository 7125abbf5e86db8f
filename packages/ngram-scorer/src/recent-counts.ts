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

/**
 * A trie in a hash table of fixed size: an n-gram's key is the node of its first ids and its last id. Of the ids learnt, the
 * last `window` at least and twice as many at most are counted: when 2 * window are in, the table is emptied and the last
 * `window` are counted again, which costs each id once more.
 */
export function createRecentCounts(longest: number, window: number): RecentCounts {
  const history = new Int32Array(2 * window);
  let learnt = 0;
  const capacity = 2 ** Math.ceil(Math.log2(1.5 * (history.length * longest + 1)));
  const mask = capacity - 1;
  const parents = new Int32Array(capacity).fill(-1); // -1: free
  const ids = new Int32Array(capacity);
  const counts = new Int32Array(capacity);
  const followers = new Int32Array(capacity);
  const kinds = new Int32Array(capacity);
  const best = new Int32Array(capacity).fill(-1);
  parents[ROOT] = 0;
  ids[ROOT] = -1;
  /** ends[m]: the n-gram of the last m ids. */
  const ends = new Int32Array(longest + 1);
  let depth = 0;

  /** The slot of a key, free where it is not in the table. */
  function slotOf(node: number, id: number): number {
    let mixed = Math.imul(node ^ Math.imul(id + 1, 0x9e3779b1), 0x85ebca6b);
    mixed ^= mixed >>> 15;
    let slot = mixed & mask;
    while (parents[slot] !== -1 && (parents[slot] !== node || ids[slot] !== id)) slot = (slot + 1) & mask;
    return slot;
  }

  function countOne(id: number): void {
    depth = Math.min(depth + 1, longest);
    for (let m = depth; m > 0; m--) {
      const node = ends[m - 1]!;
      const slot = slotOf(node, id);
      if (parents[slot] === -1) {
        parents[slot] = node;
        ids[slot] = id;
        kinds[node]!++;
      }
      counts[slot]!++;
      followers[node]!++;
      if (best[node] === -1 || counts[slot]! >= counts[best[node]!]!) best[node] = slot;
      ends[m] = slot;
    }
  }

  function clear(): void {
    parents.fill(-1, 1);
    best.fill(-1);
    for (const array of [counts, followers, kinds]) array.fill(0);
    depth = 0;
  }

  return {
    bytes: 6 * 4 * capacity + history.byteLength,
    learn(id) {
      if (learnt === history.length) {
        history.copyWithin(0, window);
        learnt = window;
        clear();
        for (let i = 0; i < learnt; i++) countOne(history[i]!);
      }
      history[learnt++] = id;
      countOne(id);
    },
    forget() {
      if (learnt > 0) clear();
      learnt = 0;
    },
    child(node, id) {
      const slot = slotOf(node, id);
      return parents[slot] === -1 ? -1 : slot;
    },
    count: (node) => counts[node]!,
    followers: (node) => followers[node]!,
    kinds: (node) => kinds[node]!,
    mostLikely: (node) => (best[node] === -1 ? -1 : ids[best[node]!]!),
  };
}
