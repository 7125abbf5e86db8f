import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import type { DecoderShape } from "@diffuspec/onnx-decoder";

/** Weights of a published model, by the names transformers.js gives them. */
export type HubDtype = "fp32" | "fp16" | "q8" | "int8" | "uint8" | "q4" | "q4f16" | "bnb4";

/** How the files of a dtype end, before ".onnx"; the first that exists is taken. */
const SUFFIXES: Readonly<Record<HubDtype, readonly string[]>> = {
  fp32: ["", "_fp32"],
  fp16: ["_fp16"],
  q8: ["_quantized", "_q8"],
  int8: ["_int8"],
  uint8: ["_uint8"],
  q4: ["_q4"],
  q4f16: ["_q4f16"],
  bnb4: ["_bnb4"],
};

/** What config.json and generation_config.json say of a decoder. */
export interface HubModel {
  /** The sizes they name; the graph is held against them. */
  readonly sizes: Partial<DecoderShape>;
  /** max_position_embeddings, where it is named. */
  readonly positions: number | undefined;
  readonly eosIds: readonly number[];
  readonly bosId: number | undefined;
}

/**
 * Reads the configuration of a model directory as it lies on the hub.
 *
 * @throws ERR_MODEL_FILE_MISSING (no config.json), ERR_PARSE
 */
export function readHubModel(directory: string): HubModel {
  const config = readJson(directory, "config.json");
  if (config === undefined) throw missing(`${directory} is no model of the hub`, "it has no config.json");
  const generation = readJson(directory, "generation_config.json") ?? {};
  const size = (name: string): number | undefined => {
    const value = config[name];
    if (value === undefined || value === null) return undefined;
    if (!Number.isInteger(value) || (value as number) < 1)
      throw unreadable(directory, "config.json", `${name} is ${JSON.stringify(value)}`);
    return value as number;
  };
  const ids = (from: Record<string, unknown>, file: string, name: string): number[] => {
    const value = from[name] ?? [];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    const wrong = list.find((id) => !Number.isInteger(id) || (id as number) < 0);
    if (wrong !== undefined) throw unreadable(directory, file, `${name} holds ${JSON.stringify(wrong)}`);
    return list as number[];
  };
  const both = (name: string) => [
    ...ids(generation, "generation_config.json", name),
    ...ids(config, "config.json", name),
  ];
  const heads = size("num_attention_heads");
  const width = size("hidden_size");
  const named: Readonly<Record<string, number | undefined>> = {
    layers: size("num_hidden_layers"),
    kvHeads: size("num_key_value_heads") ?? heads,
    headDim: size("head_dim") ?? (heads !== undefined && width !== undefined ? Math.floor(width / heads) : undefined),
    width,
    vocabularySize: size("vocab_size"),
  };
  return {
    sizes: Object.fromEntries(
      Object.entries(named).filter(([, value]) => value !== undefined),
    ) as Partial<DecoderShape>,
    positions: size("max_position_embeddings"),
    eosIds: [...new Set(both("eos_token_id"))],
    bosId: both("bos_token_id")[0],
  };
}

/**
 * The path of a dtype's graph: onnx/model_SUFFIX.onnx, or beside config.json where there is no folder onnx.
 *
 * @throws ERR_OPTION for a dtype that does not exist, ERR_MODEL_FILE_MISSING naming the graphs that are there
 */
export function hubGraph(directory: string, dtype: HubDtype): string {
  if (!Object.hasOwn(SUFFIXES, dtype))
    throw new DiffuSpecError({
      code: "ERR_OPTION",
      what: `dtype is ${JSON.stringify(dtype)}`,
      why: `it is one of ${Object.keys(SUFFIXES).join(", ")}`,
      next: "Pass one of them, or the graph's path as `graph`.",
    });
  const found = findGraph(directory, dtype);
  if (found !== undefined) return found;
  const folder = folderOf(directory);
  const present = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".onnx")) : [];
  throw missing(
    `${directory} has no ${dtype} graph`,
    present.length > 0 ? `${folder} holds ${present.join(", ")}` : `there is no .onnx file in ${folder}`,
  );
}

/** The dtypes whose graph is there; first those whose rows are usually exact, the model's own numbers before all. */
export function hubDtypes(directory: string): HubDtype[] {
  return PREFERRED.filter((dtype) => findGraph(directory, dtype) !== undefined);
}

const PREFERRED: readonly HubDtype[] = ["fp32", "q4", "fp16", "q4f16", "bnb4", "int8", "uint8", "q8"];

const folderOf = (directory: string) => (existsSync(join(directory, "onnx")) ? join(directory, "onnx") : directory);

function findGraph(directory: string, dtype: HubDtype): string | undefined {
  const names = ["model", "decoder_model_merged"].flatMap((base) =>
    SUFFIXES[dtype].map((suffix) => join(folderOf(directory), `${base}${suffix}.onnx`)),
  );
  return names.find((path) => existsSync(path));
}

function readJson(directory: string, file: string): Record<string, unknown> | undefined {
  const path = join(directory, file);
  if (!existsSync(path)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw unreadable(directory, file, cause instanceof Error ? cause.message : String(cause));
  }
  throw unreadable(directory, file, "it is no object");
}

const missing = (what: string, why: string) =>
  new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what,
    why,
    next: "Download the whole folder: config.json, tokenizer.json, and the graph under onnx/ with its .onnx_data files.",
  });

const unreadable = (directory: string, file: string, why: string) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `${file} of ${directory} cannot be used`,
    why,
    next: "Download it again from the model's page.",
  });
