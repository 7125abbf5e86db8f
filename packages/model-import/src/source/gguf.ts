import { stat } from "node:fs/promises";
import type { DecoderConfig } from "../config/decoder-config.ts";
import { configFromGguf } from "../config/from-gguf.ts";
import { parseError } from "../errors.ts";
import { tokenizerFromGguf } from "../tokenizer/from-gguf.ts";
import { type GgufHeader, readGgufHeader } from "./gguf-header.ts";
import type { ModelSource } from "./source.ts";
import { columnsOf, openWith, readRows, rowsOf, type TensorFile } from "./tensor-file.ts";

/** Opens a GGUF file. @throws ERR_PARSE, ERR_UNSUPPORTED */
export async function openGguf(path: string): Promise<TensorFile & Pick<GgufHeader, "metadata">> {
  return openWith(path, async (file, size) => {
    const { metadata, tensors } = await readGgufHeader(file, path, size);
    return {
      path,
      metadata,
      tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
      readRows: (tensor, first, count) => readRows(file, path, tensor, first, count),
      close: () => file.close(),
    };
  });
}

/** A GGUF file as a model. @throws ERR_PARSE, ERR_UNSUPPORTED */
export async function ggufSource(path: string): Promise<ModelSource> {
  const file = await openGguf(path);
  try {
    const { size, mtimeMs } = await stat(path);
    const { metadata, tensors } = file;
    const embedding = tensors.get("token_embd.weight");
    if (embedding === undefined) throw parseError(path, "it has no tensor token_embd.weight");
    const freqs = tensors.get("rope_freqs.weight");
    const divisors = freqs && (await file.readRows(freqs, 0, rowsOf(freqs)));
    const config = configFromGguf(metadata, rowsOf(embedding), divisors, path);
    const text = (name: string) => {
      const value = metadata.get(name);
      return typeof value === "string" ? value : undefined;
    };
    return {
      path,
      config,
      shape(name) {
        const tensor = tensors.get(ggufName(name));
        return tensor && { rows: rowsOf(tensor), columns: columnsOf(tensor), bytes: tensor.bytes };
      },
      readRows: (name, first, count) => readUnpermuted(file, config, name, first, count),
      tokenizer: tokenizerFromGguf(metadata),
      chatTemplate: text("tokenizer.chat_template"),
      licence: text("general.license"),
      parameters: [...tensors.values()].reduce((sum, tensor) => sum + rowsOf(tensor) * columnsOf(tensor), 0),
      fingerprint: `${size}:${mtimeMs}`,
      close: file.close,
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Parts of Hugging Face's names and what GGUF calls them. */
const PARTS: readonly [string, string][] = [
  ["model.embed_tokens.", "token_embd."],
  ["model.norm.", "output_norm."],
  ["lm_head.", "output."],
  ["model.layers.", "blk."],
  ["input_layernorm.", "attn_norm."],
  ["post_attention_layernorm.", "ffn_norm."],
  ["self_attn.q_norm.", "attn_q_norm."],
  ["self_attn.k_norm.", "attn_k_norm."],
  ["self_attn.q_proj.", "attn_q."],
  ["self_attn.k_proj.", "attn_k."],
  ["self_attn.v_proj.", "attn_v."],
  ["self_attn.o_proj.", "attn_output."],
  ["mlp.gate_proj.", "ffn_gate."],
  ["mlp.up_proj.", "ffn_up."],
  ["mlp.down_proj.", "ffn_down."],
];

export const ggufName = (name: string): string => PARTS.reduce((out, [from, to]) => out.replace(from, to), name);

/**
 * Llama's query and key rows lie in GGUF in the order of interleaved rotation: of each head, rows 2j and 2j+1 are rows j
 * and j + headDim/2 of the original. Qwen's are left alone.
 */
async function readUnpermuted(
  file: TensorFile,
  config: DecoderConfig,
  name: string,
  first: number,
  count: number,
): Promise<Float32Array> {
  const tensor = file.tensors.get(ggufName(name))!;
  if (config.family !== "llama" || !/\.[qk]_proj\./.test(name)) return file.readRows(tensor, first, count);
  const vector = tensor.dims.length === 1; // a bias: its values are what rows are to a matrix
  const columns = vector ? 1 : columnsOf(tensor);
  const { headDim } = config;
  const start = vector ? 0 : Math.floor(first / headDim) * headDim;
  const end = vector ? columnsOf(tensor) : Math.min(Math.ceil((first + count) / headDim) * headDim, rowsOf(tensor));
  const found = vector ? await file.readRows(tensor, 0, 1) : await file.readRows(tensor, start, end - start);
  const rows = vector ? end : count;
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const row = (vector ? 0 : first) + i;
    const inHead = row % headDim;
    const half = headDim / 2;
    const from = row - inHead + 2 * (inHead % half) + Math.floor(inHead / half) - start;
    out.set(found.subarray(from * columns, (from + 1) * columns), i * columns);
  }
  return out;
}
