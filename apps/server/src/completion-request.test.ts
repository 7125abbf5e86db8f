import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ApiError } from "./api-error.ts";
import { DEFAULT_MAX_TOKENS, parseCompletionRequest } from "./completion-request.ts";

const limits = { modelName: "m", contextLength: 256, vocabularySize: 100 };
const parse = (fields: object) => parseCompletionRequest({ model: "m", prompt: "p", ...fields }, limits);

function refusal(fields: object): ApiError["body"]["error"] & { status: number } {
  try {
    parse(fields);
  } catch (error) {
    if (error instanceof ApiError) return { ...error.body.error, status: error.status };
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(fields)}`);
}

describe("defaults", () => {
  it("leaves sampling to the model, and draws a seed", () => {
    const { options, stream, includeUsage } = parse({});
    expect(options).toEqual({
      maxTokens: DEFAULT_MAX_TOKENS,
      seed: expect.any(Number),
      stop: [],
      logitBias: new Map(),
    });
    expect([stream, includeUsage]).toEqual([false, false]);
    expect(new Set(Array.from({ length: 20 }, () => parse({}).options.seed)).size).toBe(20);
  });

  it("takes null and neutral values as left out", () => {
    const neutral = {
      n: 1,
      best_of: 1,
      echo: false,
      suffix: "",
      logprobs: false,
      presence_penalty: 0,
      frequency_penalty: 0,
    };
    const nothing = Object.fromEntries(
      [
        "temperature",
        "top_p",
        "stop",
        "logit_bias",
        "stream",
        "stream_options",
        "max_tokens",
        ...Object.keys(neutral),
      ].map((name) => [name, null]),
    );
    expect(Object.keys(parse(neutral).options)).toEqual(Object.keys(parse({}).options));
    expect(Object.keys(parse(nothing).options)).toEqual(Object.keys(parse({}).options));
  });
});

describe("fields", () => {
  it("takes them all", () => {
    const { options } = parse({
      max_tokens: 256,
      min_tokens: 2,
      temperature: 2,
      top_p: 1,
      top_k: 100,
      min_p: 0,
      repetition_penalty: 1.1,
      dry_multiplier: 0.8,
      dry_base: 1.75,
      dry_allowed_length: 8,
      seed: Number.MAX_SAFE_INTEGER,
      stop: "end",
      logit_bias: { 0: -100, 99: 100 },
      user: "someone",
    });
    expect(options).toEqual({
      maxTokens: 256,
      minTokens: 2,
      temperature: 2,
      topP: 1,
      topK: 100,
      minP: 0,
      repetitionPenalty: 1.1,
      dryMultiplier: 0.8,
      dryBase: 1.75,
      dryAllowedLength: 8,
      seed: Number.MAX_SAFE_INTEGER,
      stop: ["end"],
      logitBias: new Map([
        [0, -100],
        [99, 100],
      ]),
    });
  });

  it.each([
    ["a string", "text", "text"],
    ["a string in an array", ["text"], "text"],
    ["ids", [1, 2, 99], Int32Array.of(1, 2, 99)],
    ["ids in an array", [[0]], Int32Array.of(0)],
  ])("prompt: %s", (_, prompt, expected) => expect(parse({ prompt }).prompt).toEqual(expected));

  it.each([
    [undefined],
    [null],
    [1],
    [{}],
    [[]],
    [[[]]],
    [[["a"]]],
    [["a", "b"]],
    [[[1], [2]]],
    [[1, "a"]],
    [["a", 1]],
    [[100]],
    [[-1]],
    [[1.5]],
    [[1e308]],
  ])("refuses the prompt %j", (prompt) => expect(refusal({ prompt })).toMatchObject({ status: 400, param: "prompt" }));

  it.each([
    "max_tokens",
    "min_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "seed",
  ])("refuses what is no number in the range of %s", (name) => {
    // JSON writes 1e309 for the infinite one; NaN cannot come in a body.
    for (const value of [-1, 1e308, 2 ** 53, Number.POSITIVE_INFINITY, Number.NaN, "1", true, [], {}])
      expect(refusal({ [name]: value })).toMatchObject({ status: 400, type: "invalid_request_error", param: name });
  });

  it.each([
    ["max_tokens", 257],
    ["max_tokens", 1.5],
    ["min_tokens", 17],
    ["top_p", 0],
    ["top_k", 101],
    ["repetition_penalty", 0],
    ["dry_multiplier", -1],
    ["dry_base", 0.5],
    ["dry_allowed_length", 0],
    ["temperature", 2.01],
    ["stop", ["a", "b", "c", "d", "e"]],
    ["stop", ""],
    ["stop", [1]],
    ["stop", "x".repeat(257)],
    ["logit_bias", { 100: 1 }],
    ["logit_bias", { a: 1 }],
    ["logit_bias", { "1e1": 1 }],
    ["logit_bias", { 1: 101 }],
    ["logit_bias", { 1: "1" }],
    ["logit_bias", [1]],
    ["stream", "yes"],
    ["stream_options", { include_usage: true }],
    ["n", 2],
    ["best_of", 2],
    ["echo", true],
    ["suffix", "x"],
    ["logprobs", 0],
    ["presence_penalty", 0.1],
    ["frequency_penalty", -0.1],
    ["model", 1],
    ["temprature", 0],
  ])("refuses %s: %j", (name, value) => expect(refusal({ [name]: value })).toMatchObject({ status: 400, param: name }));

  it("refuses unknown stream options and unknown models", () => {
    expect(refusal({ stream: true, stream_options: { more: 1 } })).toMatchObject({ param: "stream_options" });
    expect(refusal({ model: "other" })).toMatchObject({ status: 404, code: "model_not_found" });
  });
});

it("gives a request or an ApiError of class 4xx for whatever comes", () => {
  const names = [
    "prompt",
    "max_tokens",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "logit_bias",
    "stream",
    "stream_options",
    "n",
    "__proto__",
    "toString",
  ];
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.jsonValue(), fc.integer({ min: 0, max: 3 }))),
      (fields) => {
        // Through JSON, as a body comes: "__proto__" is then a plain key.
        const body: unknown = JSON.parse(JSON.stringify({ model: "m", prompt: "p", ...fields }));
        try {
          const { options } = parseCompletionRequest(body, limits);
          expect(options.maxTokens).toBeLessThanOrEqual(limits.contextLength);
          accepted++;
        } catch (error) {
          if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500) throw error;
        }
      },
    ),
    { numRuns: 10_000 },
  );
  expect(accepted).toBeGreaterThan(100);
});
