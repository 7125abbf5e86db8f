import { randomInt } from "node:crypto";
import { badRequest, modelNotFound } from "./api-error.ts";
import {
  booleanField,
  type Fields,
  integerField,
  isIntegerIn,
  isObject,
  numberField,
  objectField,
  positiveField,
  refuseSet,
  stringsField,
} from "./fields.ts";
import type { ServedOptions } from "./served-model.ts";

/** A checked body of POST /v1/completions. */
export interface CompletionRequest {
  readonly prompt: string | Int32Array;
  readonly options: Omit<ServedOptions, "signal">;
  readonly stream: boolean;
  /** One more chunk with the usage at the end of a stream. */
  readonly includeUsage: boolean;
}

export interface RequestLimits {
  readonly modelName: string;
  /** Tokens; also the most max_tokens may ask for. */
  readonly contextLength: number;
  readonly vocabularySize: number;
}

/** Tokens of a completion where max_tokens is left out: OpenAI's own default. */
export const DEFAULT_MAX_TOKENS = 16;
const MOST_STOPS = 4;
const LONGEST_STOP = 256;

/** Fields we know but cannot serve, with the values that ask for nothing. */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  best_of: [1],
  echo: [false],
  suffix: [""],
  logprobs: [false],
  presence_penalty: [0],
  frequency_penalty: [0],
};
const KNOWN = new Set([
  ...["model", "prompt", "max_tokens", "min_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty"],
  ...["dry_multiplier", "dry_base", "dry_allowed_length"],
  ...["seed", "stop", "logit_bias", "stream", "stream_options", "user", ...Object.keys(UNSUPPORTED)],
]);

/**
 * Checks every field of a body. What is left out, or null, takes its default: max_tokens 16, a random seed, and for the
 * sampling fields the model's own setting (greedy where it has none).
 *
 * @throws ApiError 400 with the field's name as `param`, or 404 for an unknown model
 */
export function parseCompletionRequest(body: unknown, limits: RequestLimits): CompletionRequest {
  if (!isObject(body)) throw badRequest("The body must be a JSON object.");
  for (const name of Object.keys(body))
    if (!KNOWN.has(name)) throw badRequest(`Unrecognized request argument: ${name.slice(0, 100)}.`, name.slice(0, 100));
  if (typeof body.model !== "string") throw badRequest("model must be the name of a model, a string.", "model");
  if (body.model !== limits.modelName) throw modelNotFound(body.model, limits.modelName);
  for (const [name, neutral] of Object.entries(UNSUPPORTED)) refuseSet(body, name, neutral);
  const stream = booleanField(body, "stream");
  return {
    prompt: readPrompt(body.prompt, limits.vocabularySize),
    options: readOptions(body, limits),
    stream,
    includeUsage: readIncludeUsage(body, stream),
  };
}

function readOptions(body: Fields, { contextLength, vocabularySize }: RequestLimits): CompletionRequest["options"] {
  const maxTokens = integerField(body, "max_tokens", 0, contextLength) ?? DEFAULT_MAX_TOKENS;
  return {
    maxTokens,
    seed: integerField(body, "seed", 0, Number.MAX_SAFE_INTEGER) ?? randomInt(2 ** 47),
    stop: stringsField(body, "stop", MOST_STOPS, LONGEST_STOP),
    logitBias: readLogitBias(body, vocabularySize),
    ...defined({
      minTokens: integerField(body, "min_tokens", 0, maxTokens),
      temperature: numberField(body, "temperature", 0, 2),
      topP: positiveField(body, "top_p", 1),
      topK: integerField(body, "top_k", 0, vocabularySize),
      minP: numberField(body, "min_p", 0, 1),
      repetitionPenalty: positiveField(body, "repetition_penalty", 10),
      dryMultiplier: numberField(body, "dry_multiplier", 0, 100),
      dryBase: numberField(body, "dry_base", 1, 100),
      dryAllowedLength: integerField(body, "dry_allowed_length", 1, contextLength),
    }),
  };
}

/** A string, ids, or either of them as the only element of an array. */
function readPrompt(prompt: unknown, vocabularySize: number): string | Int32Array {
  if (typeof prompt === "string") return prompt;
  if (Array.isArray(prompt)) {
    const [first] = prompt;
    if (typeof first === "string" || Array.isArray(first)) {
      if (prompt.length > 1) throw badRequest("This server takes one prompt a request.", "prompt");
      if (typeof first === "string") return first;
    }
    const ids: unknown[] = Array.isArray(first) ? first : prompt;
    if (ids.length > 0 && ids.every((id) => isIntegerIn(id, 0, vocabularySize - 1))) return Int32Array.from(ids);
  }
  throw badRequest(`prompt must be a string or an array of token ids in 0..${vocabularySize - 1}.`, "prompt");
}

function readLogitBias(body: Fields, vocabularySize: number): Map<number, number> {
  const entries = Object.entries(objectField(body, "logit_bias"));
  return new Map(
    entries.map(([key, bias]) => {
      const id = /^\d{1,9}$/.test(key) ? Number(key) : -1;
      if (!isIntegerIn(id, 0, vocabularySize - 1) || typeof bias !== "number" || !(bias >= -100 && bias <= 100))
        throw badRequest(
          `logit_bias must map token ids in 0..${vocabularySize - 1} to numbers in -100..100.`,
          "logit_bias",
        );
      return [id, bias];
    }),
  );
}

function readIncludeUsage(body: Fields, stream: boolean): boolean {
  const options = objectField(body, "stream_options");
  const names = Object.keys(options);
  if (names.length > 0 && !stream) throw badRequest("stream_options is for stream: true.", "stream_options");
  if (names.some((name) => name !== "include_usage"))
    throw badRequest("stream_options holds include_usage and nothing else.", "stream_options");
  return booleanField(options, "include_usage");
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The object without keys whose value is undefined. */
function defined<T extends object>(options: T): Defined<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
}
