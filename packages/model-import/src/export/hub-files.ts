import type { DecoderConfig } from "../config/decoder-config.ts";

const ARCHITECTURES = { llama: "LlamaForCausalLM", qwen2: "Qwen2ForCausalLM", qwen3: "Qwen3ForCausalLM" } as const;

/** config.json, generation_config.json and tokenizer_config.json of a model, as objects. */
export function hubFiles(
  config: DecoderConfig,
  parts: {
    readonly contextLength: number;
    readonly tied: boolean;
    /** Names of the graphs that have their weights in a file beside them. */
    readonly graphs: readonly string[];
    /** tokenizer.json, parsed. */
    readonly tokenizer: object;
    readonly chatTemplate: string | undefined;
  },
): Readonly<Record<string, object>> {
  const { bosId, eosIds } = config;
  const pieces = piecesOf(parts.tokenizer);
  const eos = eosIds.length === 1 ? eosIds[0] : eosIds;
  const ends = { ...(bosId !== undefined && { bos_token_id: bosId }), ...(eosIds.length > 0 && { eos_token_id: eos }) };
  const piece = (id: number | undefined) => (id === undefined ? undefined : pieces.get(id));
  return {
    "config.json": {
      architectures: [ARCHITECTURES[config.family]],
      model_type: config.family,
      vocab_size: config.vocabularySize,
      hidden_size: config.width,
      intermediate_size: config.hidden,
      num_hidden_layers: config.layers,
      num_attention_heads: config.heads,
      num_key_value_heads: config.kvHeads,
      head_dim: config.headDim,
      hidden_act: "silu",
      rms_norm_eps: config.epsilon,
      rope_theta: config.rope.theta,
      max_position_embeddings: parts.contextLength,
      tie_word_embeddings: parts.tied,
      ...ends,
      "transformers.js_config": { use_external_data_format: Object.fromEntries(parts.graphs.map((name) => [name, 1])) },
    },
    "generation_config.json": ends,
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      ...(piece(bosId) !== undefined && { bos_token: piece(bosId) }),
      ...(piece(eosIds[0]) !== undefined && { eos_token: piece(eosIds[0]) }),
      model_max_length: parts.contextLength,
      clean_up_tokenization_spaces: false,
      ...(parts.chatTemplate !== undefined && { chat_template: parts.chatTemplate }),
    },
  };
}

function piecesOf(tokenizer: object): Map<number, string> {
  const { model, added_tokens: added } = tokenizer as {
    model?: { vocab?: Readonly<Record<string, number>> };
    added_tokens?: readonly { readonly id: number; readonly content: string }[];
  };
  const pieces = new Map(Object.entries(model?.vocab ?? {}).map(([piece, id]) => [id, piece]));
  for (const { id, content } of added ?? []) pieces.set(id, content);
  return pieces;
}
