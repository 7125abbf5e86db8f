import { parseArgs } from "node:util";
import { DiffuSpecError } from "@diffuspec/contracts";
import {
  CANVAS_PRESET_NAMES,
  DRAFTER_NAMES,
  DTYPE_NAMES,
  LOAD_DEFAULTS,
  type LoadOptions,
  PRECISION_NAMES,
} from "diffuspec";
import { LISTEN_DEFAULTS } from "./listen.ts";

export interface Flags {
  readonly help: boolean;
  readonly port: number;
  /** The name clients use: the model's name as it was typed; undefined for a path, whose model says its own. */
  readonly modelName: string | undefined;
  /** Options of load(); what is left out takes its default there. */
  readonly load: Partial<LoadOptions>;
}

export const HELP = `diffuspec-server: an OpenAI-compatible server on 127.0.0.1

Usage: diffuspec-server [flags]

  --port N        port to listen on, 0 for any free one (default ${LISTEN_DEFAULTS.port})
  --model NAME    a pair of \`diffuspec pairs\`, or a path that begins with ./ or / (default ${LOAD_DEFAULTS.model})
  --registry FILE a registry of pairs of your own
  --drafter NAME  ${DRAFTER_NAMES.join(", ")} (default ${LOAD_DEFAULTS.drafter}, or the pair's own)
  --precision P   ${PRECISION_NAMES.join(", ")} (default ${LOAD_DEFAULTS.precision})
  --dtype D       weights of a published model: ${DTYPE_NAMES.join(", ")} (default: fp32, else what is there)
  --exactness E   exact, or tolerant: runs graphs whose rows depend on each other (default ${LOAD_DEFAULTS.exactness})
  --drafter-model DIR    a published full-canvas diffusion model as the drafter
  --drafter-preset NAME  its family: ${CANVAS_PRESET_NAMES.join(", ")}
  --threads N     threads of one operator, or "measure" to try one and the default (default: one a core, at most four)
  --help          this text

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 failed, 2 wrong usage.
`;

const NAME = /^\w[\w.-]*(?:\/[\w.-]+)?$/;

/** @throws ERR_OPTION for an unknown flag or a value that is no number where one is needed */
export function parseFlags(args: readonly string[]): Flags {
  const values = parsed(args);
  const { port, threads, model, registry, drafter, precision, dtype, exactness, help } = values;
  const { "drafter-model": directory, "drafter-preset": preset } = values;
  if (preset !== undefined && directory === undefined)
    throw usageError("--drafter-preset was given", "it says what --drafter-model is, which is missing");
  const name = model ?? LOAD_DEFAULTS.model;
  return {
    help: help ?? false,
    port: port === undefined ? LISTEN_DEFAULTS.port : integer("--port", port, 0, 65_535),
    modelName: NAME.test(name) ? name : undefined,
    load: {
      ...(model !== undefined && { model }),
      ...(registry !== undefined && { registry }),
      ...(precision !== undefined && { precision: oneOf("--precision", precision, PRECISION_NAMES) }),
      ...(dtype !== undefined && { dtype: oneOf("--dtype", dtype, DTYPE_NAMES) }),
      ...(exactness !== undefined && { exactness: oneOf("--exactness", exactness, ["exact", "tolerant"] as const) }),
      ...(directory !== undefined && {
        drafterModel: {
          directory,
          ...(preset !== undefined && { preset: oneOf("--drafter-preset", preset, CANVAS_PRESET_NAMES) }),
        },
      }),
      ...(drafter !== undefined && { drafter: oneOf("--drafter", drafter, DRAFTER_NAMES) }),
      ...(threads !== undefined && {
        threads: threads === "measure" ? threads : integer("--threads", threads, 1, 256),
      }),
    },
  };
}

function parsed(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: text,
        model: text,
        registry: text,
        drafter: text,
        precision: text,
        dtype: text,
        exactness: text,
        "drafter-model": text,
        "drafter-preset": text,
        threads: text,
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw usageError("The command line cannot be read", (error as Error).message.split("\n")[0]!, error);
  }
}

function integer(flag: string, value: string, low: number, high: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : -1;
  if (number < low || number > high)
    throw usageError(`${flag} is ${JSON.stringify(value)}`, `it must be an integer in ${low}..${high}`);
  return number;
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined)
    throw usageError(`${flag} is ${JSON.stringify(value)}`, `it must be one of ${allowed.join(", ")}`);
  return found;
}

function usageError(what: string, why: string, cause?: unknown): DiffuSpecError {
  return new DiffuSpecError({ code: "ERR_OPTION", what, why, next: "See diffuspec-server --help.", cause });
}
