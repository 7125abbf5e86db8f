import { parseArgs } from "node:util";

export interface Arguments {
  readonly json: boolean;
  readonly fast: boolean;
  readonly help: boolean;
  readonly prompts: string | undefined;
  readonly count: number | undefined;
  readonly maxTokens: number;
  readonly repeats: number;
  readonly temperature: number | undefined;
  readonly repetitionPenalty: number | undefined;
  readonly dryMultiplier: number | undefined;
  readonly seed: number | undefined;
  readonly threads: number | undefined;
  readonly out: string | undefined;
}

/** @throws an Error that names the option and what it takes */
export function readArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      json: { type: "boolean", default: false },
      fast: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      prompts: { type: "string" },
      count: { type: "string" },
      "max-tokens": { type: "string" },
      repeats: { type: "string" },
      temperature: { type: "string" },
      "repetition-penalty": { type: "string" },
      "dry-multiplier": { type: "string" },
      seed: { type: "string" },
      threads: { type: "string" },
      out: { type: "string" },
    },
  });
  const number = (name: keyof typeof values, least: number, whole: boolean) =>
    readNumber(name, values[name] as string | undefined, least, whole);
  return {
    json: values.json,
    fast: values.fast,
    help: values.help,
    prompts: values.prompts,
    count: number("count", 1, true),
    maxTokens: number("max-tokens", 1, true) ?? 128,
    repeats: number("repeats", 1, true) ?? 1,
    temperature: number("temperature", 0, false),
    repetitionPenalty: number("repetition-penalty", 0, false),
    dryMultiplier: number("dry-multiplier", 0, false),
    seed: number("seed", 0, true),
    threads: number("threads", 1, true),
    out: values.out,
  };
}

/** @throws an Error that names the option and what it takes */
export function readNumber(name: string, text: string | undefined, least: number, whole = true): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value < least || (whole && !Number.isInteger(value)))
    throw new Error(`--${name} is ${text}; it takes ${whole ? "an integer" : "a number"} of at least ${least}.`);
  return value;
}

/** What was given of the sampler's options. */
export function samplingOf({ temperature, repetitionPenalty, dryMultiplier, seed }: Arguments) {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
    ...(dryMultiplier !== undefined && { dryMultiplier }),
    ...(seed !== undefined && { seed }),
  };
}
