import { parseError, unsupported } from "../errors.ts";
import type { Rope } from "../graph/rope.ts";
import type { MetadataValue } from "../source/gguf-header.ts";
import { checkConfig, type DecoderConfig, familyOf, fieldsOf } from "./decoder-config.ts";

/** Pre-tokenizers of Llama 3, whose texts begin with the BOS id unless the file says otherwise. */
export const LLAMA3_PRE: readonly unknown[] = ["llama3", "llama-v3", "llama-bpe"];

/**
 * The configuration in the metadata of a GGUF file.
 *
 * @param vocabularySize rows of the embedding
 * @param divisors the tensor rope_freqs, where the file has one
 * @throws ERR_PARSE, ERR_UNSUPPORTED
 */
export function configFromGguf(
  metadata: ReadonlyMap<string, MetadataValue>,
  vocabularySize: number,
  divisors: Float32Array | undefined,
  source: string,
): DecoderConfig {
  const fail = (why: string) => parseError(source, why);
  const architecture = metadata.get("general.architecture");
  const family = familyOf(architecture, source);
  const get = (name: string) => metadata.get(`${architecture}.${name}`);
  const fields = fieldsOf(get, fail);
  const heads = fields.size("attention.head_count");
  const width = fields.size("embedding_length");
  const headDim = fields.size("attention.key_length", width / heads);
  if (
    fields.size("rope.dimension_count", headDim) !== headDim ||
    fields.size("attention.value_length", headDim) !== headDim
  )
    throw unsupported(
      `${source} rotates a part of each head, or has values of another width`,
      "the graphs do not express it",
      "Use a model without it.",
    );
  if (get("attention.sliding_window") !== undefined || (get("expert_count") ?? 0) !== 0)
    throw unsupported(
      `${source} has a sliding window or experts`,
      "the graphs do not express them",
      "Use a dense model.",
    );
  const { bosId, eosIds } = endsOf(metadata);
  return checkConfig(
    {
      family,
      layers: fields.size("block_count"),
      width,
      heads,
      kvHeads: fields.size("attention.head_count_kv", heads),
      headDim,
      hidden: fields.size("feed_forward_length"),
      vocabularySize,
      epsilon: fields.positive("attention.layer_norm_rms_epsilon"),
      rope: ropeOf(get, fields.positive("rope.freq_base", 10_000), divisors, headDim, source),
      contextLength: fields.size("context_length"),
      ...(bosId !== undefined && { bosId }),
      eosIds,
    },
    fail,
  );
}

function ropeOf(
  get: (name: string) => unknown,
  theta: number,
  divisors: Float32Array | undefined,
  headDim: number,
  source: string,
): Rope {
  if (divisors !== undefined) {
    if (divisors.length !== headDim / 2 || !divisors.every((d) => d > 0))
      throw parseError(source, `its rope_freqs are no ${headDim / 2} positive numbers`);
    return { theta, scaling: { type: "divisors", divisors } };
  }
  const type = get("rope.scaling.type") ?? "none";
  if (type === "none") return { theta };
  const factor = get("rope.scaling.factor");
  if (type === "linear" && typeof factor === "number" && factor > 0)
    return { theta, scaling: { type: "linear", factor } };
  throw unsupported(
    `${source} has the rotary scaling ${String(type)}`,
    "linear and Llama 3's are written",
    "Use a model with one of these.",
  );
}

/** End of text and end of turn both end a completion. */
function endsOf(metadata: ReadonlyMap<string, MetadataValue>): { bosId: number | undefined; eosIds: number[] } {
  const id = (name: string) => {
    const value = metadata.get(`tokenizer.ggml.${name}`);
    return typeof value === "number" ? value : undefined;
  };
  const adds = metadata.get("tokenizer.ggml.add_bos_token") ?? LLAMA3_PRE.includes(metadata.get("tokenizer.ggml.pre"));
  const ends = [id("eos_token_id"), id("eot_token_id")].filter((end) => end !== undefined);
  return { bosId: adds === true ? id("bos_token_id") : undefined, eosIds: [...new Set(ends)] };
}
