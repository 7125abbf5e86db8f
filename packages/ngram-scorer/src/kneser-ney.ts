import { adjustedCounts, type CountedLevel } from "./count.ts";
import { type Discounts, discountOf, discountsOf } from "./discounts.ts";
import type { Settings } from "./estimate-options.ts";
import { lastOfLmplz } from "./lmplz-last.ts";
import { type Level, LOG_ZERO, type NgramModel, tokenArray } from "./model.ts";

/**
 * The model of counted n-grams.
 *
 * @param ranks ids numbered as they first appear, for `lmplz` alone
 */
export function kneserNey(
  counted: readonly CountedLevel[],
  { order, prune, boundaries, fallback, lmplz }: Settings,
  vocabularySize: number,
  ranks: ReadonlyMap<number, number>,
): NgramModel {
  const adjusted = adjustedCounts(counted, boundaries.begin);
  const last = lmplz ? lastOfLmplz(ranks, counted, boundaries.begin!) : undefined;
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
  { order, vocabularySize, boundaries }: Pick<Settings, "order" | "boundaries"> & { vocabularySize: number },
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
