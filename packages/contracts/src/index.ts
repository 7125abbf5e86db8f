/**
 * The contracts of DiffuSpec: types, the error base, and the few definitions that may exist only once
 * (the geometry of a token tree, the tie rule of argmax, what a text begins with).
 *
 * @module
 * @example
 * import { chain, type Drafter } from "@diffuspec/contracts";
 * chain(7, [8, 9]); // the tree 7 -> 8 -> 9
 */
export { argmax } from "./argmax.ts";
export { bosPiece } from "./bos.ts";
export type { Draft, Drafter, DrafterSession, DraftRequest, DraftStart, Needs, Outcome, Tap } from "./drafter.ts";
export { abortError, DiffuSpecError, type ErrorCode, isDiffuSpecError } from "./errors.ts";
export type { Lattice } from "./lattice.ts";
export type { LengthController, LengthRequest, RoundObservation } from "./length-controller.ts";
export type { PathSearch, SearchRequest, SearchResult } from "./path-search.ts";
export type { Sampler } from "./sampler.ts";
export type { CausalScorer } from "./scorer.ts";
export {
  chain,
  childWithToken,
  depths,
  MAX_TREE_NODES,
  type TokenTree,
  trunkFirst,
  trunkLength,
  validateTree,
} from "./token-tree.ts";
export type { TextStream, Tokenizer, Vocabulary } from "./tokenizer.ts";
export type { Prefill, PrefillOptions, Rows, Verifier, VerifierSession, VerifyNeeds } from "./verifier.ts";
export { CONTRACT_VERSION } from "./version.ts";
