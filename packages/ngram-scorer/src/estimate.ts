import { adjustedCounts, type Boundaries, type CountedLevel, concatenate, countNgrams } from "./count.ts";
import { type Discounts, discountOf, discountsOf, FALLBACK_DISCOUNTS, isDiscount } from "./discounts.ts";
import { optionError } from "./errors.ts";
import { lastOfLmplz } from "./lmplz-last.ts";
import { type Level, LOG_ZERO, MAX_ORDER, type NgramModel, requireId, tokenArray } from "./model.ts";

export interface EstimateOptions {
  /** Longest n-gram, 1..6. */
  readonly order?: number;
  readonly vocabularySize: number;
  /**
   * By order: n-grams that occur this often or less are left out and their mass goes to the back-off. prune[0] is for single
   * ids and must be 0; the last entry holds for all higher orders; never falling.
   */
  readonly prune?: readonly number[];
  /**
   * Ids put before and after every sequence, as <s> and </s>: `begin` gives context and is never predicted (ln p is -228),
   * `end` is an id like others. Neither may stand in a sequence. Default: none.
   */
  readonly boundaries?: Boundaries;
  /** Used for an order whose counts give no discounts, see {@link discountsOf}. */
  readonly fallback?: Discounts;
  /**
   * Discounts as KenLM's lmplz computes them: it takes one n-gram of every order, the last one it meets, as often as it
   * occurs, and it accepts a discount of 0. Shows in tiny corpora only. Needs both boundaries. Default false.
   */
  readonly lmplz?: boolean;
}

export const ESTIMATE_DEFAULTS = {
  order: 3,
  prune: [0],
  boundaries: {},
  fallback: FALLBACK_DISCOUNTS,
  lmplz: false,
} as const;

/**
 * Interpolated modified Kneser-Ney (Chen and Goodman, 1998), stored in back-off form. The highest order uses counts, lower
 * ones the number of distinct ids that come before. Single ids are interpolated with the uniform distribution, so every id
 * of the vocabulary has a probability: an id that was never seen has what others give to <unk>.
 *
 * @param sequences token ids; n-grams do not cross from one into the next
 * @throws ERR_OPTION for bad options, an id outside the vocabulary or a boundary id in a sequence, or no ids at all
 */
export function estimateNgram(sequences: Iterable<ArrayLike<number>>, options: EstimateOptions): NgramModel {
  const { order, vocabularySize, prune, boundaries, fallback, lmplz } = checked(options);
  const stream = concatenate(sequences, boundaries, (id) => {
    requireId({ vocabularySize }, id);
    if (id === boundaries.begin || id === boundaries.end)
      throw optionError(`The boundary id ${id} stands in a sequence`, "boundaries are put around sequences");
  });
  if (stream.ids.every((id) => id === boundaries.begin))
    throw optionError("the corpus is empty", "there is nothing to count");
  const counted = countNgrams(stream, order, vocabularySize);
  const adjusted = adjustedCounts(counted, boundaries.begin);
  const last = lmplz ? lastOfLmplz(stream, counted, boundaries as Required<Boundaries>) : undefined;
  const discounts = counted.map(({ counts }, i) => {
    const weights = adjusted[i]!;
    const odd = i + 1 < order ? (last?.[i] ?? -1) : -1;
    return discountsOf(odd === -1 ? weights : weights.with(odd, counts[odd]!), fallback, lmplz);
  });

  let below = unigrams(counted[0]!, adjusted[0]!, discounts[0]!, { order, vocabularySize, boundaries });
  const levels = [below.level];
  for (let n = 2; n <= order; n++) {
    const threshold = prune[Math.min(n, prune.length) - 1]!;
    const inner = n < order;
    below = extend(below, counted[n - 1]!, adjusted[n - 1]!, discounts[n - 1]!, { vocabularySize, threshold, inner });
    levels.push(below.level);
  }
  return { order, vocabularySize, levels };
}

/** A level of the model, and what the next order needs to know of it. */
interface Finished {
  readonly level: Level;
  /** p of every counted n-gram, pruned ones too. */
  readonly probability: Float64Array;
  /** Index in `level` of every counted n-gram; -1 where it is pruned. */
  readonly place: Int32Array;
}

/** Every id has an entry: unseen ones their share of the uniform distribution. */
function unigrams(
  { tokens }: CountedLevel,
  weights: Uint32Array,
  discounts: Discounts,
  { order, vocabularySize, boundaries }: Required<Pick<EstimateOptions, "order" | "vocabularySize" | "boundaries">>,
): Finished {
  let total = 0;
  let freed = 0;
  for (const weight of weights) {
    total += weight;
    freed += discountOf(weight, discounts);
  }
  const uniform = freed / total / (vocabularySize - (boundaries.begin === undefined ? 0 : 1));
  const level = emptyLevel(vocabularySize, vocabularySize, order > 1);
  for (let id = 0; id < vocabularySize; id++) level.tokens[id] = id;
  level.logProb.fill(Math.log(uniform));
  const probability = Float64Array.from(
    weights,
    (weight) => (weight - discountOf(weight, discounts)) / total + uniform,
  );
  for (let i = 0; i < tokens.length; i++) level.logProb[tokens[i]!] = Math.log(probability[i]!);
  if (boundaries.begin !== undefined) level.logProb[boundaries.begin] = LOG_ZERO;
  return { level, probability, place: Int32Array.from(tokens) };
}

/**
 * The next order: p(w | u v) = (c(u v w) - D) / c(u v .) + gamma(u v) p(w | v), where gamma, the back-off weight of u v, is
 * what the discounts and the pruned n-grams free. Fills the back-offs and children of the level below.
 */
function extend(
  below: Finished,
  { tokens, counts, prefixes, suffixes }: CountedLevel,
  weights: Uint32Array,
  discounts: Discounts,
  options: { vocabularySize: number; threshold: number; inner: boolean },
): Finished {
  const total = new Float64Array(below.place.length);
  const freed = new Float64Array(below.place.length);
  const stays = (i: number) => counts[i]! > options.threshold && below.place[prefixes[i]!] !== -1;
  let size = 0;
  for (let i = 0; i < weights.length; i++) {
    const context = prefixes[i]!;
    total[context]! += weights[i]!;
    freed[context]! += stays(i) ? discountOf(weights[i]!, discounts) : weights[i]!;
    if (stays(i)) size++;
  }

  const { backoff, childStart } = below.level;
  const level = emptyLevel(options.vocabularySize, size, options.inner);
  const probability = new Float64Array(weights.length);
  const place = new Int32Array(weights.length).fill(-1);
  for (let i = 0, at = 0; i < weights.length; i++) {
    const context = prefixes[i]!;
    const lower = (freed[context]! / total[context]!) * below.probability[suffixes[i]!]!;
    if (!stays(i)) {
      probability[i] = lower;
      continue;
    }
    probability[i] = (weights[i]! - discountOf(weights[i]!, discounts)) / total[context]! + lower;
    childStart[below.place[context]! + 1]!++;
    level.tokens[at] = tokens[i]!;
    level.logProb[at] = Math.log(probability[i]!);
    place[i] = at++;
  }
  for (let c = 0; c < total.length; c++)
    if (below.place[c] !== -1 && total[c]! > 0)
      backoff[below.place[c]!] = Math.max(LOG_ZERO, Math.log(freed[c]! / total[c]!));
  for (let i = 1; i < childStart.length; i++) childStart[i]! += childStart[i - 1]!;
  return { level, probability, place };
}

function emptyLevel(vocabularySize: number, size: number, inner: boolean): Level {
  return {
    tokens: tokenArray(vocabularySize, size),
    logProb: new Float32Array(size),
    backoff: new Float32Array(inner ? size : 0),
    childStart: new Uint32Array(inner ? size + 1 : 0),
  };
}

function checked(options: EstimateOptions) {
  const { vocabularySize, order = ESTIMATE_DEFAULTS.order, prune = ESTIMATE_DEFAULTS.prune } = options;
  const { boundaries = ESTIMATE_DEFAULTS.boundaries, fallback = ESTIMATE_DEFAULTS.fallback } = options;
  const { lmplz = ESTIMATE_DEFAULTS.lmplz } = options;
  if (!Number.isInteger(order) || order < 1 || order > MAX_ORDER)
    throw optionError(`order is ${order}`, `it is an integer in 1..${MAX_ORDER}`);
  if (!Number.isInteger(vocabularySize) || vocabularySize < 1 || vocabularySize > 2 ** 24)
    throw optionError(`vocabularySize is ${vocabularySize}`, "it is an integer in 1..2^24");
  const falls = prune.some((count, i) => !Number.isInteger(count) || count < 0 || (i > 0 && count < prune[i - 1]!));
  if (prune.length === 0 || prune[0] !== 0 || falls)
    throw optionError(`prune is [${prune.join(", ")}]`, "it begins with 0 and holds counts that never fall");
  const { begin, end }: Boundaries = boundaries;
  for (const id of [begin, end]) if (id !== undefined) requireId({ vocabularySize }, id);
  if (begin !== undefined && begin === end)
    throw optionError(`boundaries are ${begin} and ${end}`, "begin and end are two ids");
  if (lmplz && (begin === undefined || end === undefined))
    throw optionError("lmplz is set without both boundaries", "lmplz puts <s> and </s> around every sentence");
  if (fallback.length !== 3 || !fallback.every(isDiscount))
    throw optionError(`fallback is [${fallback.join(", ")}]`, "it is three numbers in (0, 1], (0, 2] and (0, 3]");
  return { order, vocabularySize, prune, boundaries: boundaries as Boundaries, fallback, lmplz };
}
