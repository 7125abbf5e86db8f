/**
 * N-gram language models over token ids or words: estimate (modified Kneser-Ney), ARPA, a compact file, and a scorer for path search.
 *
 * @module
 * @example
 * import { createNgramScorer, estimateNgram } from "@diffuspec/ngram-scorer";
 * const model = estimateNgram([[1, 2, 3, 1, 2, 4]], { order: 3, vocabularySize: 5 });
 * const scorer = createNgramScorer(model);
 * const out = new Float64Array(2);
 * scorer.score([scorer.begin(Int32Array.of(1, 2))], Int32Array.of(3, 4), out); // ln p(3 | 1 2), ln p(4 | 1 2)
 */
export { type ArpaReadOptions, type ArpaText, readArpa } from "./arpa-read.ts";
export { type ArpaWriteOptions, arpaLines, writeArpa } from "./arpa-write.ts";
export { visitContexts } from "./contexts.ts";
export type { Boundaries } from "./count.ts";
export { type Discounts, discountsOf, FALLBACK_DISCOUNTS } from "./discounts.ts";
export { estimateNgram, estimateNgramStream } from "./estimate.ts";
export {
  bytesPerToken,
  ESTIMATE_DEFAULTS,
  type EstimateOptions,
  type EstimateWordsOptions,
} from "./estimate-options.ts";
export { decodeNgram, encodeNgram } from "./file.ts";
export { createHashedScorer, type HashedScorer } from "./hashed-scorer.ts";
export { type KenlmModel, readKenlm } from "./kenlm-read.ts";
export { createKenlmScorer, type KenlmScorerOptions } from "./kenlm-scorer.ts";
export { type Level, LOG_ZERO, logProb, MAX_ORDER, type NgramModel } from "./model.ts";
export { createOnlineScorer, followText, ONLINE_DEFAULTS, type OnlineOptions, type OnlineScorer } from "./online.ts";
export {
  createNgramScorer,
  createUniformScorer,
  type NamingScorer,
  type NgramScorer,
  type NgramState,
  type SyncCausalScorer,
} from "./scorer.ts";
export { createWordIds, type Sentence, type WordIds } from "./words.ts";
