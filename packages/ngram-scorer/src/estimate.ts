import { DiffuSpecError } from "@diffuspec/contracts";
import { type CountedLevel, concatenate, countNgrams } from "./count.ts";
import { type Level, MAX_ORDER, type NgramModel, requireId, tokenArray } from "./model.ts";

export interface EstimateOptions {
  /** Longest n-gram, 1..6. */
  readonly order?: number;
  readonly vocabularySize: number;
  /**
   * By order: n-grams that occur this often or less are left out and their mass goes to the back-off. prune[0] is for single
   * ids and must be 0; the last entry holds for all higher orders; never falling.
   */
  readonly prune?: readonly number[];
}

export const ESTIMATE_DEFAULTS = { order: 3, prune: [0] } as const;

/** Discounts of n-grams that count once, twice, three times and more. */
export type Discounts = readonly [number, number, number];

/** Where the counts of counts cannot give discounts (a tiny or an artificial corpus), these are used, as lmplz offers. */
export const FALLBACK_DISCOUNTS: Discounts = [0.5, 1, 1.5];

/**
 * Interpolated modified Kneser-Ney (Chen and Goodman, 1998), stored in back-off form. The highest order uses counts; lower
 * ones the number of distinct ids that come before (an n-gram that only ever begins a sequence counts as one). Single ids
 * are interpolated with the uniform distribution, so every id of the vocabulary has a probability.
 *
 * @param sequences token ids; n-grams do not cross from one into the next
 * @throws ERR_OPTION for bad options, an id outside the vocabulary, or no ids at all
 */
export function estimateNgram(sequences: Iterable<ArrayLike<number>>, options: EstimateOptions): NgramModel {
  const { order, vocabularySize, prune } = checked(options);
  const stream = concatenate(sequences, (id) => requireId({ vocabularySize }, id));
  if (stream.ids.length === 0) throw optionError("the corpus is empty", "there is nothing to count");
  const counted = countNgrams(stream, order, vocabularySize);
  const adjusted = counted.map((level, i) => {
    const above = counted[i + 1];
    if (!above) return level.counts;
    const before = new Uint32Array(level.tokens.length);
    for (const suffix of above.suffixes) before[suffix]!++;
    return before.map((count) => Math.max(count, 1));
  });

  const levels: Level[] = [unigrams(counted[0]!, adjusted[0]!, vocabularySize, order)];
  const probability: Float64Array[] = [
    levels[0]!.logProb.length > 0 ? exponentials(levels[0]!, counted[0]!) : new Float64Array(0),
  ];
  let kept: Int32Array = Int32Array.from(counted[0]!.tokens); // index in the finished level, -1 where pruned
  for (let n = 2; n <= order; n++) {
    const level = counted[n - 1]!;
    const weights = adjusted[n - 1]!;
    const [d1, d2, d3] = discountsOf(weights);
    const discount = (count: number) => (count === 1 ? d1 : count === 2 ? d2 : d3);
    const threshold = prune[Math.min(n, prune.length) - 1]!;
    const contexts = counted[n - 2]!.tokens.length;
    const total = new Float64Array(contexts);
    const freed = new Float64Array(contexts);
    const stays = (i: number) => level.counts[i]! > threshold && kept[level.prefixes[i]!] !== -1;
    for (let i = 0; i < weights.length; i++) {
      total[level.prefixes[i]!]! += weights[i]!;
      freed[level.prefixes[i]!]! += stays(i) ? discount(weights[i]!) : weights[i]!;
    }
    const size = weights.reduce((sum, _, i) => sum + (stays(i) ? 1 : 0), 0);
    const parentLevel = levels[n - 2]!;
    const tokens = tokenArray(vocabularySize, size);
    const logProbs = new Float32Array(size);
    const full = new Float64Array(weights.length);
    const next = new Int32Array(weights.length).fill(-1);
    for (let i = 0, at = 0; i < weights.length; i++) {
      const context = level.prefixes[i]!;
      const gamma = freed[context]! / total[context]!;
      const lower = probability[n - 2]![level.suffixes[i]!]!;
      full[i] = (stays(i) ? (weights[i]! - discount(weights[i]!)) / total[context]! : 0) + gamma * lower;
      if (!stays(i)) continue;
      parentLevel.childStart[kept[context]! + 1]!++;
      tokens[at] = level.tokens[i]!;
      logProbs[at] = Math.log(full[i]!);
      next[i] = at++;
    }
    for (let c = 0; c < contexts; c++)
      if (kept[c] !== -1 && total[c]! > 0) parentLevel.backoff[kept[c]!] = Math.log(freed[c]! / total[c]!);
    for (let i = 1; i < parentLevel.childStart.length; i++)
      parentLevel.childStart[i]! += parentLevel.childStart[i - 1]!;
    const inner = n < order;
    levels.push({
      tokens,
      logProb: logProbs,
      backoff: new Float32Array(inner ? size : 0),
      childStart: new Uint32Array(inner ? size + 1 : 0),
    });
    probability.push(full);
    kept = next;
  }
  return { order, vocabularySize, levels };
}

/** Chen and Goodman's discounts from the numbers of n-grams that count 1, 2, 3 and 4. */
export function discountsOf(counts: Uint32Array): Discounts {
  const n = [0, 0, 0, 0, 0];
  for (const count of counts) if (count <= 4) n[count]!++;
  const [, n1, n2, n3, n4] = n as [number, number, number, number, number];
  if (n1 === 0 || n2 === 0 || n3 === 0 || n4 === 0) return FALLBACK_DISCOUNTS;
  const y = n1 / (n1 + 2 * n2);
  const found = [1 - (2 * y * n2) / n1, 2 - (3 * y * n3) / n2, 3 - (4 * y * n4) / n3] as const;
  return found.every((d, i) => d >= 0 && d <= i + 1) ? found : FALLBACK_DISCOUNTS;
}

/** Every id has an entry: unseen ones their share of the uniform distribution. */
function unigrams(level: CountedLevel, weights: Uint32Array, vocabularySize: number, order: number): Level {
  const [d1, d2, d3] = discountsOf(weights);
  let total = 0;
  let freed = 0;
  for (const weight of weights) {
    total += weight;
    freed += weight === 1 ? d1 : weight === 2 ? d2 : d3;
  }
  const uniform = freed / total / vocabularySize;
  const logProb = new Float32Array(vocabularySize).fill(Math.log(uniform));
  for (let i = 0; i < weights.length; i++) {
    const discount = weights[i] === 1 ? d1 : weights[i] === 2 ? d2 : d3;
    logProb[level.tokens[i]!] = Math.log((weights[i]! - discount) / total + uniform);
  }
  const tokens = tokenArray(vocabularySize, vocabularySize).map((_, id) => id);
  const inner = order > 1;
  return {
    tokens,
    logProb,
    backoff: new Float32Array(inner ? vocabularySize : 0),
    childStart: new Uint32Array(inner ? vocabularySize + 1 : 0),
  };
}

/** Probabilities of the ids that were seen, by their index in the counted level. */
function exponentials(level: Level, counted: CountedLevel): Float64Array {
  return Float64Array.from(counted.tokens, (id) => Math.exp(level.logProb[id]!));
}

function checked(options: EstimateOptions) {
  const { order, vocabularySize, prune } = { ...ESTIMATE_DEFAULTS, ...options };
  if (!Number.isInteger(order) || order < 1 || order > MAX_ORDER)
    throw optionError(`order is ${order}`, `it is an integer in 1..${MAX_ORDER}`);
  if (!Number.isInteger(vocabularySize) || vocabularySize < 1 || vocabularySize > 2 ** 24)
    throw optionError(`vocabularySize is ${vocabularySize}`, "it is an integer in 1..2^24");
  const falls = prune.some((count, i) => !Number.isInteger(count) || count < 0 || (i > 0 && count < prune[i - 1]!));
  if (prune.length === 0 || prune[0] !== 0 || falls)
    throw optionError(`prune is [${prune.join(", ")}]`, "it begins with 0 and holds counts that never fall");
  return { order, vocabularySize, prune };
}

export function optionError(what: string, why: string): DiffuSpecError {
  return new DiffuSpecError({ code: "ERR_OPTION", what, why, next: "See the README of @diffuspec/ngram-scorer." });
}
