import { bucketOf, type HashedIndex } from "./hashed-index.ts";
import { requireId } from "./model.ts";

/** Texts looked up in turn. Measured: 16 are too few, 64 bring no more. */
const LANES = 32;

/**
 * Scores many texts with a hashed index. A look-up is a load from anywhere in memory, and the next of the same text depends
 * on it; so as many texts as there are lanes take turns, and a turn begins with the loads of all.
 */
export function createLanes(index: HashedIndex) {
  const { i32, f32, states, edges, buckets } = index;
  const scale = buckets / 2 ** 32;
  const end = i32.length;
  let ids = new Int32Array(1024);
  // of each lane: its state and the entry to look at, what is there, and the ids from `at` to before `stop` to be scored
  const state = new Int32Array(LANES);
  const entry = new Int32Array(LANES);
  const found = new Int32Array(LANES);
  const at = new Int32Array(LANES);
  const stop = new Int32Array(LANES);
  const backedOff = new Float64Array(LANES);

  /** Puts all texts behind one another, as their scores will be. */
  function gather(texts: readonly Int32Array[], total: number): void {
    if (ids.length < total) ids = new Int32Array(2 * total);
    let length = 0;
    for (const text of texts)
      for (let i = 0; i < text.length; i++) {
        const id = text[i]!;
        if (id < 0 || id >= index.vocabularySize) requireId(index, id);
        ids[length++] = id;
      }
  }

  const entryOf = (from: number, token: number) =>
    from === 0 ? 2 * token : edges + 4 * (bucketOf(from, token, scale) | 0);

  return {
    /** @throws ERR_OPTION for an id outside the vocabulary */
    score(from: number, texts: readonly Int32Array[], total: number, out: Float64Array): void {
      gather(texts, total);
      const given = ids;
      let next = 0;
      let begun = 0;
      /** Gives a lane the next text that is not empty; false without one. */
      const begin = (lane: number): boolean => {
        while (next < texts.length && texts[next]!.length === 0) next++;
        if (next === texts.length) return false;
        at[lane] = begun;
        begun += texts[next++]!.length;
        stop[lane] = begun;
        state[lane] = from;
        backedOff[lane] = 0;
        entry[lane] = entryOf(from, given[at[lane]!]!);
        return true;
      };
      let active = 0;
      while (active < LANES && begin(active)) active++;
      while (active > 0) {
        for (let lane = 0; lane < active; lane++) found[lane] = i32[entry[lane]!]!;
        for (let lane = 0; lane < active; lane++) {
          const now = state[lane]!;
          const place = at[lane]!;
          const token = given[place]!;
          let e = entry[lane]!;
          let seen = found[lane]!;
          let after = seen;
          if (now === 0) out[place] = backedOff[lane]! + f32[e + 1]!;
          else {
            while (seen !== 0 && (seen !== now || i32[e + 1] !== token)) {
              e += 4;
              if (e === end) e = edges;
              seen = i32[e]!;
            }
            if (seen === 0) {
              const up = i32[states + 2 * now]!;
              backedOff[lane]! += f32[states + 2 * now + 1]!;
              state[lane] = up;
              entry[lane] = entryOf(up, token);
              continue;
            }
            out[place] = backedOff[lane]! + f32[e + 3]!;
            after = i32[e + 2]!;
          }
          if (place + 1 < stop[lane]!) {
            at[lane] = place + 1;
            state[lane] = after;
            backedOff[lane] = 0;
            entry[lane] = entryOf(after, given[place + 1]!);
          } else if (!begin(lane)) {
            active--;
            state[lane] = state[active]!;
            entry[lane] = entry[active]!;
            found[lane] = found[active]!;
            at[lane] = at[active]!;
            stop[lane] = stop[active]!;
            backedOff[lane] = backedOff[active]!;
            lane--; // what moved here has not had its turn
          }
        }
      }
    },
  };
}
