import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { PEER_NAMES, type PeerName } from "./peers/names.ts";

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
  readonly minutes: number | undefined;
  /** The I-th of N parts. */
  readonly shard: { readonly index: number; readonly of: number } | undefined;
  /** Other programs to measure beside ours. */
  readonly peers: readonly PeerName[];
  /** What node-llama-cpp runs. */
  readonly gguf: string | undefined;
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
  minutes: { type: "string" },
  shard: { type: "string" },
  peers: { type: "string" },
  gguf: { type: "string" },
} as const;

/**
 * @param special options that this program takes beside the usual ones
 * @throws an Error that names the option and what it takes
 */
export function readArguments(argv: readonly string[], special: readonly (keyof typeof SPECIAL)[] = []): Arguments {
  const options = { ...USUAL, ...Object.fromEntries(special.map((name) => [name, SPECIAL[name]])) };
  const values = parseArgs({ args: withPeersNamed(argv), options }).values as Readonly<
    Record<string, string | boolean>
  >;
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
    minutes: number("minutes", 0, false),
    shard: readShard(text("shard")),
    peers: readPeers(text("peers")),
    gguf: checkGguf(text("gguf")),
  };
}

function readShard(text: string | undefined): Arguments["shard"] {
  if (text === undefined) return undefined;
  const [index, of] = text.split("/").map(Number);
  if (!/^\d+\/\d+$/.test(text) || index! < 1 || index! > of!)
    throw new Error(`--shard is ${text}; it takes I/N, as 1/2 and 2/2.`);
  return { index: index!, of: of! };
}

/** `--peers` alone is `--peers all`. */
export function withPeersNamed(argv: readonly string[]): string[] {
  const bare = (arg: string, next: string | undefined) => arg === "--peers" && (next ?? "-").startsWith("-");
  return argv.map((arg, i) => (bare(arg, argv[i + 1]) ? "--peers=all" : arg));
}

export function readPeers(list: string | undefined): readonly PeerName[] {
  if (list === undefined) return [];
  if (list === "all") return PEER_NAMES;
  const wanted = list.split(",").map((name) => name.trim());
  for (const name of wanted)
    if (!(PEER_NAMES as readonly string[]).includes(name))
      throw new Error(`--peers names ${JSON.stringify(name)}; there are all, ${PEER_NAMES.join(", ")}.`);
  return PEER_NAMES.filter((name) => wanted.includes(name));
}

export function checkGguf(file: string | undefined): string | undefined {
  if (file !== undefined && !existsSync(file)) throw new Error(`--gguf is ${file}; there is no such file.`);
  return file;
}

export const PEERS_HELP = `\
  --peers [A,B]       other programs with the same weights on the same prompts, greedy, installed on demand into
                      apps/bench/.peers; all, or some of
                      ${PEER_NAMES.join(", ")}
  --gguf FILE         the GGUF file the pair was imported from: node-llama-cpp runs it, transformers.js an export of it
                      (without it an export of the pair's own weights, and no node-llama-cpp)
`;

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
