/**
 * The autoregressive target on ONNX Runtime: prefill, verify a chain or a tree in one pass, commit, roll back.
 *
 * @module
 * @example
 * import { chain } from "@diffuspec/contracts";
 * import { createVerifier } from "@diffuspec/verifier-ar";
 * const verifier = await createVerifier({ target: manifest.target, resolve: (file) => `model/${file}` });
 * const session = await verifier.open();
 * await session.prefill(Int32Array.of(0, 17, 4));
 * const rows = await session.verify(chain(4, [9, 2]), { logits: false });
 * rows.argmax(0); // what follows 4; where it is 9, row 1 counts too
 * await session.commit(Int32Array.of(0, 1));
 */
export type { PassOptions } from "./assemble.ts";
export { createHubVerifier, HUB_DEFAULTS, type HubVerifier, type HubVerifierOptions } from "./hub.ts";
export { type HubDtype, type HubModel, hubDtypes, hubGraph, readHubModel } from "./hub-model.ts";
export {
  createPlainDecoder,
  type FastestOptions,
  type PlainDecoder,
  type PlainOptions,
  type PlainRequest,
  type PlainResult,
  pickFastestPlain,
} from "./plain.ts";
export {
  createModelScorer,
  MODEL_SCORER_DEFAULTS,
  type ModelScorer,
  type ModelScorerOptions,
  type ModelState,
} from "./scorer.ts";
export type { ModelOptions, Precision, TargetManifest } from "./target.ts";
export { createVerifier, type OnnxVerifier, VERIFIER_DEFAULTS, type VerifierOptions } from "./verifier.ts";
