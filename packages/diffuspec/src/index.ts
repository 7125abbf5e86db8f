/**
 * Lossless text generation with a diffusion drafter: a named pair of models in one worker thread.
 *
 * @module
 * @example
 * import { load } from "diffuspec";
 * const model = await load({ model: "tiny-js" });
 * const { text, stats } = await model.complete("function add(", { maxTokens: 64 });
 * console.log(text, stats.tokensPerSecond, stats.meanAcceptedTokens);
 * await model.dispose();
 */
export { DiffuSpecError, type ErrorCode, isDiffuSpecError } from "@diffuspec/contracts";
export type { RegistryOption } from "@diffuspec/model-files";
export type { FinishReason, RoundStats } from "@diffuspec/spec-loop";
export type { ChatMessage } from "@diffuspec/tokenizer";
export type { ChatSession } from "./chat.ts";
export { CANVAS_PRESET_NAMES, type CanvasPresetName, type DrafterModelOption } from "./drafter-model.ts";
export type { CompletionResult, DoneEvent, GenerateEvent, GenerateStats, ModelInfo, TokensEvent } from "./events.ts";
export type { CallOptions, ChatPrompt, GenerateOptions, Prompt, TextPrompt } from "./generate-options.ts";
export { INSPECT_DEFAULTS, type Inspection, type InspectOptions } from "./inspection.ts";
export type { LengthControllerOption } from "./length-option.ts";
export { load, type Model } from "./model.ts";
export type { NgramOption } from "./ngram-option.ts";
export {
  DRAFTER_NAMES,
  type DrafterName,
  DTYPE_NAMES,
  LOAD_DEFAULTS,
  type LoadOptions,
  type LoadProgress,
  PRECISION_NAMES,
  type PrecisionName,
} from "./options.ts";
export type { PooledOption, SearchOption } from "./search-option.ts";
