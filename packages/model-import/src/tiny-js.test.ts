import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { type Entry, saveTensors } from "../test/save-tensors.ts";
import { weightsOf } from "../test/weights-of.ts";
import { importModel } from "./index.ts";

const model = fileURLToPath(new URL("../../model-tiny-js/model/", import.meta.url));
const manifest = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
const dir = mkdtempSync(join(tmpdir(), "import-tiny-js-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

// An int8 row times its scale has that scale again: 127 * s / 127 rounds to s for every s that a division by 127 gave.
it("the embedded pair's weights, dequantised and imported, give every file of it", async () => {
  const source = join(dir, "target");
  mkdirSync(source);
  writeTarget(source);
  const { threads, generation, name, licence, target } = manifest;
  const { dir: out } = await importModel({
    ...{ source, out: join(dir, "out"), name, licence, settings: { threads, generation } },
    ...{ precision: ["int8", "fp32"], oneCheckpoint: true, contextLength: target.contextLength },
    ...{ drafter: join(model, "drafter.safetensors"), ngram: join(model, "ngram.bin") },
  });
  expect(readdirSync(out)).toEqual(readdirSync(model));
  for (const file of readdirSync(out))
    expect(readFileSync(join(out, file)).equals(readFileSync(join(model, file))), file).toBe(true);
});

/** As training/tiny-js/export.py writes it from a checkpoint. */
function writeTarget(folder: string): void {
  const { layers, width, heads, kvHeads, headDim, hidden, vocabularySize, epsilon, ropeTheta, contextLength, eosIds } =
    manifest.target;
  const { vector, embedding, outputs } = weightsOf(join(model, "target.int8.chain.onnx"));
  const tensors: Record<string, Entry> = {};
  const add = (name: string, data: Float32Array, rows = 0) => {
    tensors[`model.${name}.weight`] = ["F32", rows > 0 ? [rows, data.length / rows] : [data.length], data];
  };
  add("embed_tokens", embedding("embedding"), vocabularySize);
  add("norm", vector("norm"));
  for (let i = 0; i < layers; i++) {
    const split = (stored: string, parts: readonly (readonly [string, number])[]) => {
      let first = 0;
      for (const [name, rows] of parts) {
        add(`layers.${i}.${name}`, outputs(`${i}.${stored}`, first, rows), rows);
        first += rows;
      }
    };
    const [q, kv] = [heads * headDim, kvHeads * headDim];
    split("qkv", [
      ["self_attn.q_proj", q],
      ["self_attn.k_proj", kv],
      ["self_attn.v_proj", kv],
    ]);
    split("o", [["self_attn.o_proj", width]]);
    split("gate_up", [
      ["mlp.gate_proj", hidden],
      ["mlp.up_proj", hidden],
    ]);
    split("down", [["mlp.down_proj", width]]);
    add(`layers.${i}.input_layernorm`, vector(`${i}.norm1`));
    add(`layers.${i}.post_attention_layernorm`, vector(`${i}.norm2`));
  }
  saveTensors(join(folder, "model.safetensors"), tensors);
  const config = {
    ...{ model_type: "llama", num_hidden_layers: layers, hidden_size: width, num_attention_heads: heads },
    ...{ num_key_value_heads: kvHeads, head_dim: headDim, intermediate_size: hidden, vocab_size: vocabularySize },
    ...{ rms_norm_eps: epsilon, rope_theta: ropeTheta, max_position_embeddings: contextLength, eos_token_id: eosIds },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ bos_token: "<|end|>", add_bos_token: true }));
  copyFileSync(join(model, "tokenizer.json"), join(folder, "tokenizer.json"));
}
