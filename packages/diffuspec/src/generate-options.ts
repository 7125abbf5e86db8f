import { DiffuSpecError } from "@diffuspec/contracts";
import { type GenerateOptions as LoopOptions, SAMPLER_DEFAULTS, type SamplerOptions } from "@diffuspec/spec-loop";
import { defined, optionError, refuseUnknown, requireOneOf } from "./checks.ts";
import { DRAFTER_NAMES, type DrafterName } from "./options.ts";

/** One call's options. What is left out takes the model's own default (manifest `generation`), then the usual one. */
export interface GenerateOptions extends Partial<SamplerOptions> {
  /** Most tokens of the completion; default 128. */
  readonly maxTokens?: number;
  /** No end of text and no stop string before this many tokens; default 0. */
  readonly minTokens?: number;
  /** Strings that end the text; they are cut off it. */
  readonly stop?: readonly string[];
  readonly signal?: AbortSignal;
}

/** A call of a loaded model may draft otherwise than the model was told to; the text is the same. */
export interface CallOptions extends GenerateOptions {
  readonly drafter?: DrafterName;
}

export type Prompt = string | Int32Array;

const SAMPLER_KEYS = Object.keys(SAMPLER_DEFAULTS);
const NUMBERS = ["maxTokens", "minTokens", ...SAMPLER_KEYS.filter((key) => key !== "logitBias")];
const KNOWN = [...NUMBERS, "logitBias", "stop", "signal"];

/**
 * Checks names and kinds, so that only plain data crosses to the worker; ranges are checked by spec-loop.
 *
 * @throws ERR_OPTION
 */
export function checkGenerateOptions(options: CallOptions): void {
  refuseUnknown("generate", options, [...KNOWN, "drafter"]);
  for (const [key, value] of Object.entries(defined(options)))
    if (NUMBERS.includes(key) && typeof value !== "number") throw optionError(key, value, "a number");
  const { stop, signal, logitBias, drafter } = options;
  if (stop !== undefined && !(Array.isArray(stop) && stop.every((word) => typeof word === "string")))
    throw optionError("stop", stop, "an array of strings that are not empty");
  if (signal !== undefined && !(typeof signal?.aborted === "boolean" && typeof signal.addEventListener === "function"))
    throw optionError("signal", signal, "an AbortSignal");
  if (logitBias !== undefined && !isBias(logitBias))
    throw optionError("logitBias", logitBias, "a Map or an object from token ids to numbers");
  if (drafter !== undefined) requireOneOf("drafter", drafter, DRAFTER_NAMES);
}

/** @throws ERR_PROMPT unless the prompt is a string or an Int32Array */
export function checkPrompt(prompt: unknown): asserts prompt is Prompt {
  if (typeof prompt === "string" || prompt instanceof Int32Array) return;
  throw new DiffuSpecError({
    code: "ERR_PROMPT",
    what: "The prompt cannot be used",
    why: `it is ${prompt === null ? "null" : `of type ${typeof prompt}`}`,
    next: "Pass a string, or token ids as an Int32Array.",
  });
}

/** The loop's options: the model's defaults below, the caller's above, the sampler's gathered. @throws ERR_OPTION */
export function toLoopOptions(options: GenerateOptions, modelDefaults: GenerateOptions): Partial<LoopOptions> {
  refuseUnknown("generate", options, KNOWN);
  checkGenerateOptions(options);
  const sampler: Record<string, unknown> = {};
  const rest: Record<string, unknown> = {};
  for (const [key, value] of Object.entries({ ...modelDefaults, ...defined(options) }))
    (SAMPLER_KEYS.includes(key) ? sampler : rest)[key] = value;
  return { ...rest, sampler };
}

function isBias(value: object): boolean {
  if (typeof value !== "object" || value === null) return false;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return entries.every(([, bias]) => typeof bias === "number");
}
