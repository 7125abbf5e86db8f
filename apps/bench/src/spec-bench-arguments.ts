import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DiffuSpecError } from "@diffuspec/contracts";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { checkGguf, readNumber, readPeers, withPeersNamed } from "./arguments.ts";
import type { PeerName } from "./peers/names.ts";
import { METHOD_NAMES, type MethodName } from "./spec-bench-names.ts";

export interface SpecBenchArguments {
  readonly help: boolean;
  readonly json: boolean;
  readonly pair: string;
  readonly data: string;
  readonly perTask: number;
  readonly maxTokens: number;
  readonly draftLength: number;
  readonly methods: readonly MethodName[];
  /** Other programs to measure beside ours. */
  readonly peers: readonly PeerName[];
  /** What node-llama-cpp runs. */
  readonly gguf: string | undefined;
  readonly precision: "int8" | "fp32" | undefined;
  readonly threads: number | undefined;
  readonly out: string | undefined;
  /** Where what was measured is kept, so that a killed run can go on. */
  readonly log: string | undefined;
  /** Whether the log stays when the run is complete. */
  readonly keepLog: boolean;
}

export const SPEC_BENCH_DEFAULTS = { pair: "smollm2-135m", perTask: 10, maxTokens: 256, draftLength: 8 } as const;
/** The published protocol. */
const FULL = { perTask: Number.POSITIVE_INFINITY, maxTokens: 1024 } as const;

/** @throws an Error that names the option and what it takes */
export function readSpecBenchArguments(argv: readonly string[]): SpecBenchArguments {
  const { values } = parseArgs({
    args: withPeersNamed(argv),
    options: {
      help: { type: "boolean", short: "h", default: false },
      json: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      pair: { type: "string", default: SPEC_BENCH_DEFAULTS.pair },
      data: { type: "string" },
      "per-task": { type: "string" },
      "max-tokens": { type: "string" },
      "draft-length": { type: "string" },
      methods: { type: "string" },
      peers: { type: "string" },
      gguf: { type: "string" },
      precision: { type: "string" },
      threads: { type: "string" },
      out: { type: "string" },
      resume: { type: "string" },
    },
  });
  const { help, json, pair, data, gguf, precision, out, resume } = values;
  const usual = values.full ? FULL : SPEC_BENCH_DEFAULTS;
  if (!help && data === undefined)
    throw new Error("--data is missing. Name Spec-Bench's question.jsonl (github.com/hemingkx/Spec-Bench, data/).");
  if (precision !== undefined && precision !== "int8" && precision !== "fp32")
    throw new Error(`--precision is ${precision}; it takes int8 or fp32.`);
  return {
    help,
    json,
    pair,
    data: data ?? "",
    perTask: readNumber("per-task", values["per-task"], 1) ?? usual.perTask,
    maxTokens: readNumber("max-tokens", values["max-tokens"], 1) ?? usual.maxTokens,
    draftLength: readNumber("draft-length", values["draft-length"], 1) ?? SPEC_BENCH_DEFAULTS.draftLength,
    methods: readMethods(values.methods),
    peers: readPeers(values.peers),
    gguf: checkGguf(gguf),
    precision,
    threads: readNumber("threads", values.threads, 1),
    out,
    log: resume ?? (out === undefined ? undefined : `${out}.partial.jsonl`),
    keepLog: resume !== undefined,
  };
}

/** `ar` and arExact always run: without them there is no ratio. */
function readMethods(list: string | undefined): MethodName[] {
  if (list === undefined) return [...METHOD_NAMES];
  const wanted = list.split(",").map((name) => name.trim());
  for (const name of wanted)
    if (!(METHOD_NAMES as readonly string[]).includes(name))
      throw new Error(`--methods names ${JSON.stringify(name)}; there are ${METHOD_NAMES.join(", ")}.`);
  return METHOD_NAMES.filter((name) => name === "ar" || name === "arExact" || wanted.includes(name));
}

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The directory of a pair: a path (with a slash, or beginning with a dot), models/NAME, or the embedded one. @throws ERR_MODEL_UNKNOWN */
export function findPair(pair: string, root = ROOT): string {
  const isPath = /[/\\]|^\./.test(pair);
  const directory = isPath ? resolve(pair) : join(root, "models", pair);
  if (existsSync(join(directory, "manifest.json"))) return directory;
  if (pair === "tiny-js") return modelDirectory;
  throw new DiffuSpecError({
    code: "ERR_MODEL_UNKNOWN",
    what: `There is no pair ${JSON.stringify(pair)}`,
    why: `${directory} holds no manifest.json`,
    next:
      pair === "smollm2-135m"
        ? "Make it: npm run smollm2"
        : "Pass the path of a model directory, or import a model to models/NAME (diffuspec import).",
    details: { pair, directory },
  });
}
