import type { DecoderConfig } from "../config/decoder-config.ts";

/** A tensor of Hugging Face's names, as a part of one that our graphs have. */
export interface Place {
  /** Without ".q", ".s" or ".w" for a matrix; whole for a vector. */
  readonly stored: string;
  /** "rows": [outputs, inputs] as it lies; "columns": [inputs, outputs], to be turned. */
  readonly kind: "rows" | "columns" | "vector";
  /** Outputs of all parts of the matrix; values of the whole vector. */
  readonly outputs: number;
  /** The part's first of them. */
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
}

/** What {@link planOf} joins, taken apart. */
export function placesOf(config: DecoderConfig, has: (name: string) => boolean): Map<string, Place> {
  const { layers, width, heads, kvHeads, headDim, hidden, vocabularySize } = config;
  const out = new Map<string, Place>();
  const whole = (name: string, stored: string, kind: "rows" | "columns", rows: number, columns: number) =>
    out.set(`${name}.weight`, { stored, kind, outputs: rows, first: 0, rows, columns });
  const vector = (name: string, stored: string, columns: number) =>
    out.set(`${name}.weight`, { stored, kind: "vector", outputs: columns, first: 0, rows: 1, columns });
  const fused = (stored: string, columns: number, parts: readonly (readonly [name: string, rows: number])[]) => {
    const outputs = parts.reduce((sum, [, rows]) => sum + rows, 0);
    let first = 0;
    for (const [name, rows] of parts) {
      out.set(`${name}.weight`, { stored, kind: "columns", outputs, first, rows, columns });
      if (has(`${stored}.b`))
        out.set(`${name}.bias`, { stored: `${stored}.b`, kind: "vector", outputs, first, rows: 1, columns: rows });
      first += rows;
    }
  };

  whole("model.embed_tokens", "embedding", "rows", vocabularySize, width);
  if (has("head.q") || has("head.w")) whole("lm_head", "head", "rows", vocabularySize, width);
  vector("model.norm", "norm", width);
  for (let i = 0; i < layers; i++) {
    const at = `model.layers.${i}.`;
    const attention = `${at}self_attn.`;
    const [q, kv] = [heads * headDim, kvHeads * headDim];
    const names = [`${attention}q_proj`, `${attention}k_proj`, `${attention}v_proj`] as const;
    fused(`${i}.qkv`, width, [
      [names[0], q],
      [names[1], kv],
      [names[2], kv],
    ]);
    fused(`${i}.o`, q, [[`${attention}o_proj`, width]]);
    fused(`${i}.gate_up`, width, [
      [`${at}mlp.gate_proj`, hidden],
      [`${at}mlp.up_proj`, hidden],
    ]);
    fused(`${i}.down`, hidden, [[`${at}mlp.down_proj`, width]]);
    vector(`${at}input_layernorm`, `${i}.norm1`, width);
    vector(`${at}post_attention_layernorm`, `${i}.norm2`, width);
    if (config.family !== "qwen3") continue;
    vector(`${attention}q_norm`, `${i}.q_norm`, headDim);
    vector(`${attention}k_norm`, `${i}.k_norm`, headDim);
  }
  return out;
}
