import { DiffuSpecError } from "@diffuspec/contracts";

/** The n-grams of one order, sorted by their ids: a level of a trie whose parents are the n-grams one order below. */
export interface Level {
  /** Last id of every n-gram, ascending among the children of one parent. */
  readonly tokens: Uint16Array | Uint32Array;
  /** ln p(last id | the ids before it). */
  readonly logProb: Float32Array;
  /** ln of the back-off weight; empty at the highest order. */
  readonly backoff: Float32Array;
  /** Children of n-gram i are childStart[i] .. childStart[i + 1] - 1 of the next level; empty at the highest order. */
  readonly childStart: Uint32Array;
}

/** A back-off n-gram model over token ids. Never changed after it is made: threads may share its buffers. */
export interface NgramModel {
  readonly order: number;
  readonly vocabularySize: number;
  /** levels[n - 1] holds the n-grams; levels[0] has an entry for every id of the vocabulary. */
  readonly levels: readonly Level[];
}

export const MAX_ORDER = 6;

/** ln of 10^-99: what ARPA writers since SRILM put for a probability of nothing. Finite, so that sums stay numbers. */
export const LOG_ZERO = -99 * Math.LN10;

/** Index of the child of n-gram `parent` (of order `order`) that ends with `token`, or -1. */
export function findChild(model: NgramModel, order: number, parent: number, token: number): number {
  const { childStart } = model.levels[order - 1]!;
  const { tokens } = model.levels[order]!;
  let low = childStart[parent]!;
  let high = childStart[parent + 1]!;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = tokens[middle]!;
    if (found === token) return middle;
    if (found < token) low = middle + 1;
    else high = middle;
  }
  return -1;
}

/** Index of the n-gram ids[start .. end - 1] in its level, or -1. */
export function findNgram(model: NgramModel, ids: ArrayLike<number>, start: number, end: number): number {
  let node = ids[start]!;
  if (!(node >= 0 && node < model.vocabularySize)) return -1;
  for (let order = 1; start + order < end && node !== -1; order++)
    node = findChild(model, order, node, ids[start + order]!);
  return node;
}

/**
 * ln p(token | context), by the definition: the longest stored n-gram, or a back-off and the context one shorter. The slow
 * and simple form of what the scorer does for many candidates.
 *
 * @throws ERR_OPTION for an id outside the vocabulary
 */
export function logProb(model: NgramModel, context: ArrayLike<number>, token: number): number {
  requireId(model, token);
  const ids = [...Array.from(context).slice(Math.max(0, context.length - model.order + 1)), token];
  for (let start = 0, penalty = 0; ; start++) {
    const found = findNgram(model, ids, start, ids.length);
    if (found !== -1) return penalty + model.levels[ids.length - start - 1]!.logProb[found]!;
    const parent = findNgram(model, ids, start, ids.length - 1);
    if (parent !== -1) penalty += model.levels[ids.length - start - 2]!.backoff[parent]!;
  }
}

export function requireId({ vocabularySize }: { readonly vocabularySize: number }, id: number): void {
  if (Number.isInteger(id) && id >= 0 && id < vocabularySize) return;
  throw new DiffuSpecError({
    code: "ERR_OPTION",
    what: `The n-gram was asked about token id ${id}`,
    why: `its vocabulary has the ids 0..${vocabularySize - 1}`,
    next: "Use the n-gram that belongs to the tokenizer.",
    details: { id, vocabularySize },
  });
}

/** Token arrays take two bytes an id where that is enough. */
export function tokenArray(vocabularySize: number, length: number): Uint16Array | Uint32Array {
  return vocabularySize <= 65_536 ? new Uint16Array(length) : new Uint32Array(length);
}
