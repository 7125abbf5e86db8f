import { DiffuSpecError } from "@diffuspec/contracts";
import type { NgramModel } from "./model.ts";

/**
 * A model as an automaton in one buffer. A state stands for the longest stored n-gram, below the highest order, that a text
 * ends with and that says anything: one that has followers or a back-off. State 0 is the empty context. An edge leads from a
 * state over an id to the state after it and carries ln p; where there is none, the state's back-off is added and the search
 * goes on from `up`, the state one n-gram shorter.
 *
 * All places are 32-bit words of the buffer; ids and states are read through `i32`, natural logs through `f32`.
 */
export interface HashedIndex {
  readonly order: number;
  readonly vocabularySize: number;
  /** Edges of state 0, by id: [state after it, ln p]. */
  readonly single: number;
  /** By state: [up, ln back-off]. */
  readonly states: number;
  /** Edges of the other states, an open-addressing table with linear probing: [state, id, state after it, ln p]; state 0 is empty. */
  readonly edges: number;
  readonly buckets: number;
  readonly i32: Int32Array<ArrayBuffer>;
  readonly f32: Float32Array<ArrayBuffer>;
}

/** Buckets an edge: KenLM's default too. */
const ROOM = 1.5;

/**
 * The bucket where a search begins. Products modulo 2^32 mix upwards, so the high bits choose the bucket.
 *
 * @param scale buckets / 2^32
 */
export function bucketOf(state: number, token: number, scale: number): number {
  const mixed = Math.imul(state ^ (state >>> 15), 0x9e3779b1) ^ Math.imul(token, 0x85ebca6b);
  return (Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 0) * scale;
}

/** Builds the automaton, order by order. Time: linear in the n-grams. @throws ERR_UNSUPPORTED past 2^28 n-grams */
export function hashedIndex(model: NgramModel): HashedIndex {
  const { order, vocabularySize, levels } = model;
  const sizes = levels.map(({ logProb }) => logProb.length);
  const edgeCount = sizes.slice(1).reduce((sum, size) => sum + size, 0);
  if (edgeCount + vocabularySize > 2 ** 28) throw tooLarge(edgeCount);
  const lives = levels.map(({ backoff, childStart }, i) =>
    i + 1 === order ? new Uint8Array(0) : Uint8Array.from(backoff, (value, g) => isLive(value, childStart, g)),
  );
  const stateCount = lives.reduce((sum, live) => sum + live.reduce((all, one) => all + one, 0), 1);
  const buckets = Math.max(edgeCount + 1, Math.ceil(edgeCount * ROOM));
  const states = 2 * vocabularySize;
  const edges = Math.ceil((states + 2 * stateCount) / 4) * 4; // an edge never straddles two cache lines
  const buffer = new ArrayBuffer(4 * (edges + 4 * buckets));
  const i32 = new Int32Array(buffer);
  const f32 = new Float32Array(buffer);
  const index: HashedIndex = { order, vocabularySize, single: 0, states, edges, buckets, i32, f32 };

  let made = 1;
  /** The state after an n-gram, made where it says anything, else the one after its longest stored end. */
  const stateAfter = (live: boolean, shorter: number, backoff: number) => {
    if (!live) return shorter;
    i32[states + 2 * made] = shorter;
    f32[states + 2 * made + 1] = backoff;
    return made++;
  };
  /** Of the n-grams of the order at hand, the state after each; 0 where it is not live and nothing will ask. */
  let parents = new Int32Array(vocabularySize);
  for (let id = 0; id < vocabularySize; id++) {
    const after = stateAfter(lives[0]![id] === 1, 0, levels[0]!.backoff[id] ?? 0);
    parents[id] = after;
    i32[2 * id] = after;
    f32[2 * id + 1] = levels[0]!.logProb[id]!;
  }
  for (let n = 2; n <= order; n++) {
    const { childStart } = levels[n - 2]!;
    const { tokens, logProb, backoff } = levels[n - 1]!;
    const live = lives[n - 1]!;
    const here = new Int32Array(n < order ? tokens.length : 0);
    for (let parent = 0; parent + 1 < childStart.length; parent++) {
      for (let g = childStart[parent]!; g < childStart[parent + 1]!; g++) {
        const token = tokens[g]!;
        const shorter = follow(index, i32[states + 2 * parents[parent]!]!, token);
        const after = stateAfter(live[g] === 1, shorter, backoff[g] ?? 0);
        if (n < order) here[g] = after;
        const at = emptyBucket(index, parents[parent]!, token);
        i32[at] = parents[parent]!;
        i32[at + 1] = token;
        i32[at + 2] = after;
        f32[at + 3] = logProb[g]!;
      }
    }
    parents = here;
  }
  return index;
}

function isLive(backoff: number, childStart: Uint32Array, g: number): number {
  return backoff !== 0 || childStart[g + 1]! > childStart[g]! ? 1 : 0;
}

/** The state after `token`, which is in the vocabulary, from a state: backs off until there is an edge. */
export function follow({ i32, states, edges, buckets }: HashedIndex, from: number, token: number): number {
  const scale = buckets / 2 ** 32;
  for (let state = from; state !== 0; state = i32[states + 2 * state]!) {
    let at = edges + 4 * Math.floor(bucketOf(state, token, scale));
    for (let found = i32[at]; found !== 0; found = i32[at]) {
      if (found === state && i32[at + 1] === token) return i32[at + 2]!;
      at += 4;
      if (at === i32.length) at = edges;
    }
  }
  return i32[2 * token]!;
}

function emptyBucket({ i32, edges, buckets }: HashedIndex, state: number, token: number): number {
  let at = edges + 4 * Math.floor(bucketOf(state, token, buckets / 2 ** 32));
  while (i32[at] !== 0) {
    at += 4;
    if (at === i32.length) at = edges;
  }
  return at;
}

const tooLarge = (ngrams: number) =>
  new DiffuSpecError({
    code: "ERR_UNSUPPORTED",
    what: `The model has ${ngrams} n-grams`,
    why: "a hashed index holds at most 2^28",
    next: "Prune the model, or use createNgramScorer(), which needs no index.",
    details: { ngrams },
  });
