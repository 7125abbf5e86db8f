import { parseArgs } from "node:util";

export interface Arguments {
  readonly json: boolean;
  readonly fast: boolean;
  readonly help: boolean;
  readonly prompts: string | undefined;
  readonly count: number | undefined;
  readonly maxTokens: number | undefined;
  readonly repeats: number;
  readonly temperature: number | undefined;
  readonly repetitionPenalty: number | undefined;
  readonly dryMultiplier: number | undefined;
  readonly seed: number | undefined;
  readonly threads: number | undefined;
  readonly out: string | undefined;
  readonly quick: boolean;
  readonly pair: string;
  readonly data: string | undefined;
  readonly set: string | undefined;
}

export const MAX_TOKENS = 128;

const USUAL = {
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
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
} as const;

/** What only some programs take. */
const SPECIAL = {
  fast: { type: "boolean" },
  quick: { type: "boolean" },
  pair: { type: "string" },
  data: { type: "string" },
  set: { type: "string" },
} as const;

/**
 * @param special options that this program takes beside the usual ones
 * @throws an Error that names the option and what it takes
 */
export function readArguments(argv: readonly string[], special: readonly (keyof typeof SPECIAL)[] = []): Arguments {
  const options = { ...USUAL, ...Object.fromEntries(special.map((name) => [name, SPECIAL[name]])) };
  const values = parseArgs({ args: [...argv], options }).values as Readonly<Record<string, string | boolean>>;
  const text = (name: string) => values[name] as string | undefined;
  const number = (name: string, least: number, whole: boolean) => readNumber(name, text(name), least, whole);
  return {
    json: values.json === true,
    fast: values.fast === true,
    help: values.help === true,
    prompts: text("prompts"),
    count: number("count", 1, true),
    maxTokens: number("max-tokens", 1, true),
    repeats: number("repeats", 1, true) ?? 1,
    temperature: number("temperature", 0, false),
    repetitionPenalty: number("repetition-penalty", 0, false),
    dryMultiplier: number("dry-multiplier", 0, false),
    seed: number("seed", 0, true),
    threads: number("threads", 1, true),
    out: text("out"),
    quick: values.quick === true,
    pair: text("pair") ?? "tiny-js",
    data: text("data"),
    set: text("set"),
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
