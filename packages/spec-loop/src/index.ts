/**
 * The lossless loop: one acceptance rule, one seeded sampler, generate() over any drafter and any verifier.
 *
 * @module
 * @example
 * const session = await openSession({ verifier, drafter });
 * for await (const round of session.generate(ids, { maxTokens: 64, sampler: { temperature: 0.7, seed: 1 } }))
 *   console.log(round.tokens, round.accepted);
 * await session.dispose();
 */
export { type Acceptance, accept } from "./accept.ts";
export { collect, complete } from "./complete.ts";
export type { FinishReason } from "./completion.ts";
export { fixedLength } from "./fixed-length.ts";
export { forbidBefore } from "./forbid.ts";
export { GENERATE_DEFAULTS, type GenerateOptions } from "./generate-options.ts";
export { graft } from "./graft.ts";
export type { Completion, Generation, Round } from "./loop.ts";
export { createSampler, SAMPLER_DEFAULTS, type SamplerOptions } from "./sampler.ts";
export { openSession, SESSION_DEFAULTS, type Session, type SessionOptions } from "./session.ts";
export type { RoundStats, Totals } from "./stats.ts";
export { assertSameVocabulary, type VocabularyException, type VocabularyGate } from "./vocabulary.ts";
