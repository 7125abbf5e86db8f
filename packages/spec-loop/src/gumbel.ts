/**
 * Gumbel noise as a pure function of (seed, position, token): drafts cannot shift it, and a drafter can ask for the same
 * noise the target will use. Two independent 32-bit keys are made from seed and position; a token's word passes two rounds
 * of MurmurHash3's 32-bit finaliser, one under each key. At one position the map token -> word is a bijection.
 */

/** MurmurHash3's finaliser: every input bit reaches every output bit. */
function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

const WORDS = 2 ** 32;
const FIRST_KEY = 0x3c6ef372;
const SECOND_KEY = 0x5be0cd19;

/** A 32-bit key of (seed, position); `lane` tells the two keys of a position apart. */
export function positionKey(seed: number, position: number, lane: 0 | 1): number {
  const low = seed | 0;
  const high = Math.floor(seed / WORDS) | 0;
  return mix(mix(mix(low ^ (lane === 0 ? FIRST_KEY : SECOND_KEY)) + high) + Math.imul(position, 0x9e3779b1));
}

/** 32 evenly spread bits for a token under the two keys of its position; an unsigned integer. */
export function noiseWord(token: number, key0: number, key1: number): number {
  return mix(mix(token + key0) ^ key1) >>> 0;
}

/** Standard Gumbel value -ln(-ln u) with u = 1 - (word + 0.5) / 2^32: between -3.1 and 22.9. */
export function gumbel(word: number): number {
  return -Math.log(-Math.log1p(-(word + 0.5) / WORDS));
}

/**
 * gumbel(word) <= GUMBEL_BOUND[Math.clz32(word)], because -ln u >= 1 - u. With it a sampler skips nearly every id without
 * a logarithm. The last term covers rounding, so that a skipped id never could have won.
 */
export const GUMBEL_BOUND = Float64Array.from({ length: 33 }, (_, zeros) => (zeros + 1) * Math.LN2 + 1e-9);
