import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { argmax } from "@diffuspec/contracts";
import { createCache, createDecoder, createHubDecoder, type Decoder, rowRange } from "@diffuspec/onnx-decoder";
import { afterAll, describe, expect, it } from "vitest";
import { golden, goldenPath, logitsOf } from "../../test/golden.ts";
import { type ExportOptions, exportTransformers, importModel } from "../index.ts";

const dir = mkdtempSync(join(tmpdir(), "export-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const tokenizer = join(dir, "tokenizer.json");
const vocab = Object.fromEntries(Array.from({ length: 64 }, (_, id) => [`p${id}`, id]));
writeFileSync(tokenizer, JSON.stringify({ model: { vocab }, added_tokens: [{ id: 2, content: "<|end|>" }] }));
let count = 0;
const fresh = () => join(dir, `out-${count++}`);
const run = (options: Partial<ExportOptions> = {}) =>
  exportTransformers({ source: goldenPath("llama-tied"), out: fresh(), tokenizer, ...options });

const FILES = { fp32: "model", q8: "model_quantized", q4: "model_q4" } as const;
const open = (out: string, dtype: keyof typeof FILES, positions = 64) =>
  createHubDecoder({ graph: join(out, "onnx", `${FILES[dtype]}.onnx`), shape: { positions }, threads: 1 });

/** Its logits; then it is done with. */
async function lastLogitsOf(decoder: Decoder): Promise<number[]> {
  const logits = await logitsOf(decoder);
  await decoder.dispose();
  return logits;
}

const apart = (a: readonly number[], b: readonly number[]) =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / b.length);

/** Root mean square differences from PyTorch's logits, whose deviation is about 1.7; q8 has one scale for nine rows. */
const MOST = { fp32: 2e-5, q8: 0.2, q4: 1.2 } as const;

it.each(Object.keys(golden.models))("%s gives PyTorch's logits at every dtype", async (name) => {
  const { dir: out } = await run({ source: goldenPath(name), dtype: ["fp32", "q8", "q4"] });
  for (const dtype of ["fp32", "q8", "q4"] as const) {
    const difference = apart(await lastLogitsOf(await open(out, dtype)), golden.models[name]!.logits);
    expect(difference, dtype).toBeLessThan(MOST[dtype]);
    if (dtype !== "fp32") expect(difference, dtype).toBeGreaterThan(1e-4);
  }
});

describe("a model directory", () => {
  it.each(["llama-tied", "qwen2", "qwen3"])("of %s has the weights of what it was imported from", async (name) => {
    const source = fresh();
    await importModel({ source: goldenPath(name), out: source, precision: ["fp32", "int8"], tokenizer });
    const out = await run({ source, dtype: "fp32" });
    expect(apart(await lastLogitsOf(await open(out.dir, "fp32")), golden.models[name]!.logits)).toBeLessThan(MOST.fp32);
  });

  it("of the embedded pair writes the text of its own float32 graph", async () => {
    const source = dirname(fileURLToPath(new URL("../../../model-tiny-js/model/manifest.json", import.meta.url)));
    const { target } = JSON.parse(readFileSync(join(source, "manifest.json"), "utf8"));
    const { dir: out, files } = await exportTransformers({ source, out: fresh(), dtype: "fp32" });
    expect(files["onnx/model.onnx_data"]).toBeGreaterThan(4 * 10_000_000);
    const ours = await createDecoder({ graph: join(source, target.graphs.fp32.chain), shape: target, threads: 1 });
    const theirs = await open(out, "fp32", target.contextLength);
    expect(await greedy(theirs)).toEqual(await greedy(ours));
    await ours.dispose();
    await theirs.dispose();
  });

  it("with int4 weights alone, or with scaled rotary positions, is refused", async () => {
    const source = fresh();
    await importModel({ source: goldenPath("qwen3"), out: source, precision: "int4", tokenizer });
    await expect(run({ source })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    const scaled = fresh();
    await importModel({ source: goldenPath("llama-scaled"), out: scaled, tokenizer });
    await expect(run({ source: scaled })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("rotary"),
    });
  });

  it.each<[string, (path: string) => void, string]>([
    ["no weight file", (path) => rmSync(join(path, "target.int8.bin")), "ERR_MODEL_FILE_MISSING"],
    ["a short weight file", (path) => writeFileSync(join(path, "target.int8.bin"), "x"), "ERR_PARSE"],
    ["a manifest that is no JSON", (path) => writeFileSync(join(path, "manifest.json"), "{"), "ERR_PARSE"],
    ["another width", (path) => change(path, (target) => ({ ...target, width: 48 })), "ERR_PARSE"],
    [
      "a graph that lies elsewhere",
      (path) => change(path, (target) => ({ ...target, graphs: { int8: { chain: "../x.onnx" } } })),
      "ERR_PARSE",
    ],
  ])("with %s is a typed error, and leaves nothing", async (_, spoil, code) => {
    const [source, out] = [fresh(), fresh()];
    await importModel({ source: goldenPath("llama-tied"), out: source, tokenizer });
    spoil(source);
    await expect(run({ source, out })).rejects.toMatchObject({ code });
    expect(existsSync(out) || existsSync(`${out}.part`)).toBe(false);
  });
});

it("writes what transformers.js reads beside the graphs", async () => {
  const source = fresh();
  cpSync(goldenPath("llama-tied"), source, { recursive: true });
  writeFileSync(join(source, "chat_template.jinja"), "{{ messages }}");
  const { dir: out, files } = await run({ source, dtype: ["q8", "q4"], contextLength: 32 });
  const json = (file: string) => JSON.parse(readFileSync(join(out, file), "utf8"));
  expect(json("config.json")).toMatchObject({
    model_type: "llama",
    max_position_embeddings: 32,
    tie_word_embeddings: true,
    "transformers.js_config": { use_external_data_format: { "model_quantized.onnx": 1, "model_q4.onnx": 1 } },
  });
  expect(json("generation_config.json")).toMatchObject({ eos_token_id: [2, 7] });
  expect(json("tokenizer_config.json")).toMatchObject({ eos_token: "<|end|>", chat_template: "{{ messages }}" });
  // transformers.js sizes its first, empty cache by this name
  expect(readFileSync(join(out, "onnx/model_q4.onnx")).includes("batch_size")).toBe(true);
  expect(Object.keys(files).sort()).toEqual([
    "config.json",
    "generation_config.json",
    "onnx/model_q4.onnx",
    "onnx/model_q4.onnx_data",
    "onnx/model_quantized.onnx",
    "onnx/model_quantized.onnx_data",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
});

it.each<[string, Partial<Record<keyof ExportOptions | "dtypes", unknown>>]>([
  ["an out that exists", { out: dir }],
  ["an unknown dtype", { dtype: "int8" }],
  ["no dtype", { dtype: [] }],
  ["a context of one", { contextLength: 1 }],
  ["a misspelt option", { dtypes: "q8" }],
])("%s is ERR_OPTION", async (_, options) => {
  await expect(run(options as Partial<ExportOptions>)).rejects.toMatchObject({ code: "ERR_OPTION" });
});

it("stops between two reads", async () => {
  const controller = new AbortController();
  const out = fresh();
  const stopped = run({ out, signal: controller.signal, onProgress: () => controller.abort() });
  await expect(stopped).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(existsSync(`${out}.part`)).toBe(false);
});

function change(path: string, of: (target: Record<string, unknown>) => object): void {
  const file = join(path, "manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...manifest, target: of(manifest.target) }));
}

async function greedy(decoder: Decoder): Promise<number[]> {
  const cache = createCache(decoder.shape);
  const text = [0, 17, 4, 300, 45];
  while (text.length < 40) {
    const ids = Int32Array.from(text.slice(cache.length));
    const pass = await decoder.run(cache, {
      ids,
      rows: rowRange(ids.length - 1, ids.length),
      fetch: ["logits", "new_kv"],
    });
    cache.append(pass, rowRange(0, ids.length));
    text.push(argmax(pass.f32("logits")));
  }
  return text;
}
