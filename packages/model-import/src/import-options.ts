import { basename, resolve } from "node:path";
import { abortError } from "@diffuspec/contracts";
import type { Calibrate } from "./calibrate.ts";
import { optionError } from "./errors.ts";
import type { Precision } from "./weights/store.ts";

/** Options of {@link importModel}. */
export interface ImportOptions {
  /** A .gguf file, or the folder of a Hugging Face model (config.json and safetensors). */
  readonly source: string;
  /** The folder to write; it must not exist. While the import runs there is OUT.part beside it. */
  readonly out: string;
  /** One or several; each has graphs and weights of its own. Default "int8". */
  readonly precision?: Precision | readonly Precision[];
  /** Most ids of prompt and completion together; default 2,048, and never more than the model was trained for. */
  readonly contextLength?: number;
  /** "org/name" in the manifest; default "imported/" and the name of the source. */
  readonly name?: string;
  /** Default: what a GGUF file says, else "unknown". */
  readonly licence?: string;
  /** Path of a tokenizer.json, where the source has none that can be used. */
  readonly tokenizer?: string;
  /**
   * Runs text through a graph of the model, so that int8 weights can be fitted to it: the difference from float32 halves,
   * the speed stays. Default: they are rounded as they are.
   */
  readonly calibrate?: Calibrate;
  /** A diffusion drafter made for the model, a safetensors file; it shares the embedding that is imported. */
  readonly drafter?: string;
  /**
   * fp32 graphs dequantise the int8 weights when they are loaded, instead of bringing a weight file of their own: both are
   * one checkpoint, and what differs is the arithmetic alone. Default false.
   */
  readonly oneCheckpoint?: boolean;
  /** Further fields of the manifest, such as `threads` and `generation`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** A token n-gram of the model's vocabulary, @diffuspec/ngram-scorer's compact file. */
  readonly ngram?: string;
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Looked at between reads of a few MiB. What is finished stays in OUT.part, and the next import goes on from it. */
  readonly signal?: AbortSignal;
}

export const IMPORT_DEFAULTS = { precision: "int8", contextLength: 2048 } as const;

export interface ImportProgress {
  /** Weights are converted, then everything is hashed. */
  readonly phase: "weights" | "hash";
  /** Bytes. */
  readonly done: number;
  readonly total: number;
}

const PRECISIONS: readonly Precision[] = ["int8", "fp32", "int4"];

/** @throws ERR_OPTION naming the first bad option, ERR_ABORTED */
export function checkOptions(options: ImportOptions): Precision[] {
  const known = [
    "source",
    "out",
    "precision",
    "contextLength",
    "name",
    "licence",
    "tokenizer",
    "calibrate",
    "drafter",
    "ngram",
    "oneCheckpoint",
    "settings",
    "onProgress",
    "signal",
  ];
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw optionError("The option", unknown, `one of ${known.join(", ")}`);
  for (const option of ["source", "out"] as const)
    if (typeof options[option] !== "string" || options[option] === "")
      throw optionError(option, options[option], "a path");
  const given = options.precision ?? IMPORT_DEFAULTS.precision;
  const precisions = [...new Set(typeof given === "string" ? [given] : given)];
  if (precisions.length === 0 || !precisions.every((precision) => PRECISIONS.includes(precision)))
    throw optionError("precision", given, `one or several of ${PRECISIONS.join(", ")}`);
  const { contextLength, name, signal, oneCheckpoint = false, settings = {} } = options;
  if (contextLength !== undefined && !(Number.isInteger(contextLength) && contextLength >= 2))
    throw optionError("contextLength", contextLength, "an integer of at least 2");
  if (typeof oneCheckpoint !== "boolean") throw optionError("oneCheckpoint", oneCheckpoint, "true or false");
  if (typeof settings !== "object" || settings === null) throw optionError("settings", settings, "an object");
  if (name !== undefined && !NAME.test(name)) throw optionError("name", name, 'of the form "org/name"');
  if (signal?.aborted) throw abortError(signal);
  return precisions;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?$/;

/** "imported/" and the name of a file or folder. */
export function defaultName(path: string): string {
  const plain = basename(resolve(path))
    .replace(/\.gguf$/i, "")
    .replace(/[^A-Za-z0-9_-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "")
    .slice(0, 80);
  return `imported/${plain || "model"}`;
}
