import type { DecoderConfig } from "../config/decoder-config.ts";
import { parseError } from "../errors.ts";
import type { ModelSource } from "../source/source.ts";

/** One thing to store: matrices stacked along their outputs, an embedding, or a vector. */
export interface Step {
  /** As the graphs call it. */
  readonly name: string;
  readonly kind: "linear" | "embedding" | "vector";
  /** Names in the source, without ".weight"; for a linear, in the order of their outputs. */
  readonly parts: readonly string[];
  /** Of each part. */
  readonly rows: readonly number[];
  /** Inputs of a matrix, values of a vector. */
  readonly columns: number;
  /** The parts have biases. */
  readonly bias: boolean;
}

/**
 * Everything a decoder needs from a source, held against the sizes of its configuration.
 *
 * @throws ERR_PARSE for a tensor that is missing or of another size
 */
export function planOf(source: ModelSource): Step[] {
  const { config } = source;
  const { layers, width, heads, kvHeads, headDim, hidden, vocabularySize, family } = config;
  const step = (name: string, kind: Step["kind"], columns: number, ...parts: [string, number][]): Step => ({
    name,
    kind,
    parts: parts.map(([part]) => part),
    rows: parts.map(([, rows]) => rows),
    columns,
    bias: kind === "linear" && parts.some(([part]) => source.shape(`${part}.bias`) !== undefined),
  });
  const vector = (name: string, part: string, length: number) => step(name, "vector", length, [part, 1]);

  const steps = [step("embedding", "embedding", width, ["model.embed_tokens", vocabularySize])];
  if (source.shape("lm_head.weight") !== undefined)
    steps.push(step("head", "embedding", width, ["lm_head", vocabularySize]));
  steps.push(vector("norm", "model.norm", width));
  for (let i = 0; i < layers; i++) {
    const at = `model.layers.${i}.`;
    const attention = `${at}self_attn.`;
    const [q, kv] = [heads * headDim, kvHeads * headDim];
    steps.push(
      step(
        `${i}.qkv`,
        "linear",
        width,
        [`${attention}q_proj`, q],
        [`${attention}k_proj`, kv],
        [`${attention}v_proj`, kv],
      ),
      step(`${i}.o`, "linear", q, [`${attention}o_proj`, width]),
      step(`${i}.gate_up`, "linear", width, [`${at}mlp.gate_proj`, hidden], [`${at}mlp.up_proj`, hidden]),
      step(`${i}.down`, "linear", hidden, [`${at}mlp.down_proj`, width]),
      vector(`${i}.norm1`, `${at}input_layernorm`, width),
      vector(`${i}.norm2`, `${at}post_attention_layernorm`, width),
    );
    if (family === "qwen3")
      steps.push(
        vector(`${i}.q_norm`, `${attention}q_norm`, headDim),
        vector(`${i}.k_norm`, `${attention}k_norm`, headDim),
      );
  }
  for (const planned of steps) check(source, config, planned);
  return steps;
}

function check(source: ModelSource, config: DecoderConfig, { parts, rows, columns, bias }: Step): void {
  const expect = (name: string, wantedRows: number, wantedColumns: number) => {
    const found = source.shape(name);
    const wanted = `[${wantedRows}, ${wantedColumns}]`;
    if (found === undefined)
      throw parseError(source.path, `it has no tensor ${name}, which a ${config.family} model has`, { tensor: name });
    if (found.rows !== wantedRows || found.columns !== wantedColumns)
      throw parseError(source.path, `its tensor ${name} is [${found.rows}, ${found.columns}] and should be ${wanted}`, {
        tensor: name,
      });
  };
  for (const [i, part] of parts.entries()) {
    expect(`${part}.weight`, rows[i]!, columns);
    if (bias) expect(`${part}.bias`, 1, rows[i]!);
  }
}
