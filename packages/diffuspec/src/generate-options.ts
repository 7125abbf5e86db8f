import { DiffuSpecError } from "@diffuspec/contracts";
import { type GenerateOptions as LoopOptions, SAMPLER_DEFAULTS, type SamplerOptions } from "@diffuspec/spec-loop";
import { type ChatMessage, checkMessages } from "@diffuspec/tokenizer";
import { defined, optionError, refuseUnknown, requireOneOf, requireSignal } from "./checks.ts";
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

/** Text, which gets the BOS id in front, or ids as they are. */
export type TextPrompt = string | Int32Array;

/** A whole conversation. The model's chat template renders it, and the assistant's next message is written. */
export interface ChatPrompt {
  readonly messages: readonly ChatMessage[];
}

export type Prompt = TextPrompt | ChatPrompt;

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
  requireSignal(signal);
  if (logitBias !== undefined && !isBias(logitBias))
    throw optionError("logitBias", logitBias, "a Map or an object from token ids to numbers");
  if (drafter !== undefined) requireOneOf("drafter", drafter, DRAFTER_NAMES);
}

/** @throws ERR_PROMPT unless the prompt is a string, an Int32Array, or { messages } */
export function checkPrompt(prompt: unknown): asserts prompt is Prompt {
  if (isTextPrompt(prompt)) return;
  if (typeof prompt !== "object" || prompt === null || !("messages" in prompt))
    throw promptError(
      `it is ${prompt === null ? "null" : Array.isArray(prompt) ? "an array" : `of type ${typeof prompt}`}`,
    );
  checkMessages(prompt.messages);
  const extra = Object.keys(prompt).find((key) => key !== "messages");
  if (extra !== undefined) throw promptError(`it has the unknown field ${JSON.stringify(extra)} beside its messages`);
}

/** A conversation's prompt is what is new in it. @throws ERR_PROMPT unless it is a string or an Int32Array */
export function checkTextPrompt(prompt: unknown): asserts prompt is TextPrompt {
  if (isTextPrompt(prompt)) return;
  checkPrompt(prompt);
  throw promptError(
    "messages are a whole conversation, and a session appends to its own",
    "Pass { messages } to generate() of the model: what two calls have in common is computed once.",
  );
}

/** As it is now, for a later time. */
export function copyPrompt(prompt: Prompt): Prompt {
  if (typeof prompt === "string") return prompt;
  if (prompt instanceof Int32Array) return prompt.slice();
  return { messages: prompt.messages.map(({ role, content }) => ({ role, content })) };
}

const isTextPrompt = (prompt: unknown): prompt is TextPrompt =>
  typeof prompt === "string" || prompt instanceof Int32Array;

const promptError = (
  why: string,
  next = "Pass a string, token ids as an Int32Array, or { messages: [{ role, content }] }.",
): DiffuSpecError => new DiffuSpecError({ code: "ERR_PROMPT", what: "The prompt cannot be used", why, next });

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
