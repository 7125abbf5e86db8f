import { parseError, unsupported } from "../errors.ts";
import type { Rope } from "../graph/rope.ts";
import { checkConfig, type DecoderConfig, type Fields, familyOf, fieldsOf } from "./decoder-config.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * The configuration in a Hugging Face config.json; generation_config.json's end ids take precedence.
 *
 * @throws ERR_PARSE, ERR_UNSUPPORTED
 */
export function configFromJson(config: Json, generation: Json, source = "config.json"): DecoderConfig {
  const fail = (why: string) => parseError(source, why);
  const family = familyOf(config.model_type, source);
  const fields = fieldsOf((name) => config[name] ?? undefined, fail);
  refuseOthers(config, source);
  const heads = fields.size("num_attention_heads");
  const width = fields.size("hidden_size");
  return checkConfig(
    {
      family,
      layers: fields.size("num_hidden_layers"),
      width,
      heads,
      kvHeads: fields.size("num_key_value_heads", heads),
      headDim: fields.size("head_dim", width / heads),
      hidden: fields.size("intermediate_size"),
      vocabularySize: fields.size("vocab_size"),
      epsilon: fields.positive("rms_norm_eps", 1e-6),
      rope: ropeOf(config, fail),
      contextLength: fields.size("max_position_embeddings"),
      eosIds: idsOf(generation.eos_token_id ?? config.eos_token_id, fail),
    },
    fail,
  );
}

/** Older files have rope_theta and rope_scaling, newer ones rope_parameters with both. */
function ropeOf(config: Json, fail: (why: string) => Error): Rope {
  const parameters = (config.rope_parameters ?? config.rope_scaling ?? undefined) as unknown;
  if (parameters !== undefined && !isObject(parameters)) throw fail("its rope_scaling is no object");
  const scaling = parameters ?? {};
  const theta = fieldsOf((name) => config[name] ?? scaling[name] ?? undefined, fail).positive("rope_theta", 10_000);
  const fields = fieldsOf((name) => scaling[name] ?? undefined, fail);
  switch (scaling.rope_type ?? scaling.type ?? "default") {
    case "default":
      return { theta };
    case "linear":
      return { theta, scaling: { type: "linear", factor: fields.positive("factor") } };
    case "llama3":
      return { theta, scaling: llama3(fields) };
    default:
      throw unsupported(
        `Its rotary scaling is ${JSON.stringify(scaling.rope_type ?? scaling.type)}`,
        "default, linear and llama3 are written",
        "Use a model with one of these.",
      );
  }
}

const llama3 = (fields: Fields) => ({
  type: "llama3" as const,
  factor: fields.positive("factor"),
  lowFrequencyFactor: fields.positive("low_freq_factor"),
  highFrequencyFactor: fields.positive("high_freq_factor"),
  originalContext: fields.size("original_max_position_embeddings"),
});

/** Settings that change the computation and that no graph here expresses. */
function refuseOthers(config: Json, source: string): void {
  const refuse = (what: string) =>
    unsupported(`${source} asks for ${what}`, "the graphs do not express it", "Use a model without it.");
  if (config.hidden_act !== undefined && config.hidden_act !== "silu") throw refuse(`hidden_act ${config.hidden_act}`);
  if (config.partial_rotary_factor !== undefined && config.partial_rotary_factor !== 1)
    throw refuse("a partial rotary embedding");
  const window = config.sliding_window ?? undefined;
  if (window !== undefined && config.use_sliding_window !== false) throw refuse("a sliding window");
}

export function idsOf(value: unknown, fail: (why: string) => Error): number[] {
  const ids = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  if (!ids.every((id) => Number.isInteger(id))) throw fail("its eos_token_id is no id and no list of ids");
  return ids;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
