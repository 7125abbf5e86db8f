import { unsupported } from "../errors.ts";
import type { GraphShape } from "../graph/layers.ts";
import type { Rope } from "../graph/rope.ts";

/** What a model says about itself, whichever file it says it in. */
export interface DecoderConfig extends Omit<GraphShape, "positions"> {
  readonly family: Family;
  readonly rope: Rope;
  /** Positions the model was trained for. */
  readonly contextLength: number;
  /** A text begins with it, where the model was trained so. */
  readonly bosId?: number;
  readonly eosIds: readonly number[];
}

/** Decoders of the Llama kind: RMSNorm, rotary positions, grouped queries, silu gate. */
export type Family = "llama" | "qwen2" | "qwen3";
export const FAMILIES: readonly Family[] = ["llama", "qwen2", "qwen3"];

/** Reads one field of a configuration; `fail` is called where the value is none of the kind. */
export interface Fields {
  /** A positive integer up to 2^24. */
  size(name: string, otherwise?: number): number;
  /** A finite number above 0. */
  positive(name: string, otherwise?: number): number;
}

const MOST_SIZE = 2 ** 24;

export function fieldsOf(get: (name: string) => unknown, fail: (why: string) => Error): Fields {
  const read = (name: string, otherwise: number | undefined, fits: (value: number) => boolean, rule: string) => {
    const value = get(name) ?? otherwise;
    if (typeof value === "number" && fits(value)) return value;
    throw fail(value === undefined ? `it has no ${name}` : `its ${name} is ${JSON.stringify(value)}, not ${rule}`);
  };
  return {
    size: (name, otherwise) =>
      read(name, otherwise, (v) => Number.isInteger(v) && v > 0 && v <= MOST_SIZE, "a positive integer"),
    positive: (name, otherwise) => read(name, otherwise, (v) => Number.isFinite(v) && v > 0, "a positive number"),
  };
}

/**
 * What holds between the sizes of every decoder that the graphs can express.
 *
 * @throws ERR_PARSE by way of `fail`, ERR_UNSUPPORTED for an odd head
 */
export function checkConfig(config: DecoderConfig, fail: (why: string) => Error): DecoderConfig {
  const { heads, kvHeads, headDim, layers, vocabularySize, bosId, eosIds } = config;
  if (heads % kvHeads !== 0) throw fail(`${heads} query heads cannot share ${kvHeads} key heads`);
  if (layers > 1024) throw fail(`it claims ${layers} layers`);
  for (const id of bosId === undefined ? eosIds : [bosId, ...eosIds])
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize)
      throw fail(`it ends or begins a text with id ${id}, outside 0..${vocabularySize - 1}`);
  if (headDim % 16 !== 0)
    throw unsupported(
      `A head of ${headDim} values cannot be run`,
      "the attention kernel takes multiples of 16",
      "Use a model whose head dimension is one.",
      { headDim },
    );
  return config;
}

export function familyOf(name: unknown, source: string): Family {
  if (name === "mistral") return "llama"; // the same layers; a sliding window is refused elsewhere
  if (FAMILIES.includes(name as Family)) return name as Family;
  throw unsupported(
    `${source} is of the architecture ${JSON.stringify(name)}`,
    `graphs are written for ${FAMILIES.join(", ")}`,
    "Use a model of one of these families (SmolLM2 and TinyLlama are Llama models).",
    { architecture: name },
  );
}
