/**
 * Fake models, hostile drafters, a plain decoding loop to compare with, and conformance suites for any test runner.
 *
 * @module
 * @example
 * for (const { name, run } of drafterConformance(() => myDrafter)) test(name, run);
 */
export { type DrafterConformanceOptions, drafterConformance } from "./drafter-conformance.ts";
export {
  createScriptedDrafter,
  emptyDrafter,
  eosDrafter,
  foreignIdDrafter,
  oracleDrafter,
  overfullDrafter,
  overlongDrafter,
  randomDrafter,
  type Scene,
  silentDrafter,
  sometimesDrafter,
  throwingDrafter,
  treeDrafter,
  wrongDrafter,
} from "./drafters.ts";
export { check, checkThrows } from "./errors.ts";
export { createFakeModel, FAKE_MODEL_DEFAULTS, type FakeModel, type FakeModelOptions, scramble } from "./fake-model.ts";
export { createByteTokenizer, createFakeTokenizer, createFakeVocabulary } from "./fake-tokenizer.ts";
export {
  createFakeVerifier,
  FAKE_VERIFIER_DEFAULTS,
  type FakeVerifier,
  type FakeVerifierOptions,
} from "./fake-verifier.ts";
export type { NamedCheck } from "./named-check.ts";
export { type PlainOptions, plainDecode } from "./plain-decode.ts";
export { seededRandom } from "./seeded-random.ts";
export { type VerifierConformanceOptions, verifierConformance } from "./verifier-conformance.ts";
