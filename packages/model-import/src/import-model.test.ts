import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModel } from "@diffuspec/model-files";
import { createVerifier } from "@diffuspec/verifier-ar";
import { afterAll, describe, expect, it } from "vitest";
import { goldenPath } from "../test/golden.ts";
import { type ImportOptions, type ImportProgress, importModel } from "./index.ts";

const dir = mkdtempSync(join(tmpdir(), "import-model-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const tokenizer = join(dir, "tokenizer.json");
writeFileSync(tokenizer, "{}");
let count = 0;
const fresh = () => join(dir, `out-${count++}`);
const run = (options: Partial<ImportOptions> = {}) =>
  importModel({ source: goldenPath("llama-tied"), out: fresh(), tokenizer, ...options });

it("writes a directory that opens, verifies and counts its steps", async () => {
  const seen: ImportProgress[] = [];
  const { dir: out, name, files } = await run({ name: "mine/tiny", licence: "MIT", onProgress: (p) => seen.push(p) });
  expect(name).toBe("mine/tiny");
  const model = await openModel(out);
  expect(model.manifest).toMatchObject({ name: "mine/tiny", licence: "MIT" });
  expect(Object.keys(files).sort()).toEqual(
    readdirSync(out)
      .filter((file) => file !== "manifest.json")
      .sort(),
  );
  for (const phase of ["weights", "hash"]) {
    const done = seen.filter((p) => p.phase === phase);
    expect(done.at(-1)!.done).toBe(done.at(-1)!.total);
  }
  const target = model.manifest.target as Parameters<typeof createVerifier>[0]["target"];
  const verifier = await createVerifier({ target, resolve: model.path, threads: 1 });
  expect(verifier.contextLength).toBe(64);
  expect(verifier.rowExactness?.rowExact).toBe(true);
  await verifier.loadTree();
  await verifier.dispose();
});

it("goes on where it was stopped, and gives the same files", async () => {
  const whole = await run({ precision: ["int8", "fp32"] });
  const out = fresh();
  for (let stop = 1; stop < 12; stop += 3) {
    const controller = new AbortController();
    let steps = 0;
    const stopped = run({
      out,
      precision: ["int8", "fp32"],
      signal: controller.signal,
      onProgress: () => ++steps === stop + 2 && controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(existsSync(out)).toBe(false);
  }
  const journal = join(`${out}.part`, "journal.jsonl");
  const before = readFileSync(journal, "utf8").trim().split("\n").length;
  expect(before).toBeGreaterThan(8);
  writeFileSync(journal, `${readFileSync(journal, "utf8")}{"file":"target.int8.b`); // killed while it wrote
  writeFileSync(join(`${out}.part`, "target.int8.bin"), Buffer.alloc(7), { flag: "a" });
  await run({ out, precision: ["int8", "fp32"] });
  for (const file of readdirSync(out))
    if (file !== "manifest.json")
      expect(readFileSync(join(out, file)).equals(readFileSync(join(whole.dir, file))), file).toBe(true);
  expect(existsSync(`${out}.part`)).toBe(false);
});

it("begins anew where the options are others", async () => {
  const out = fresh();
  const controller = new AbortController();
  const stopped = run({ out, signal: controller.signal, onProgress: () => controller.abort() });
  await expect(stopped).rejects.toMatchObject({ code: "ERR_ABORTED" });
  const { files } = await run({ out, precision: "fp32" });
  expect(Object.keys(files)).not.toContain("target.int8.bin");
  expect(readdirSync(out)).not.toContain("target.int8.bin");
});

describe("options", () => {
  it.each<[string, Partial<Record<keyof ImportOptions | "presicion", unknown>>]>([
    ["an out that exists", { out: dir }],
    ["an unknown precision", { precision: "q8" }],
    ["no precision", { precision: [] }],
    ["a context of one", { contextLength: 1 }],
    ["a bad name", { name: "no-slash" }],
    ["a misspelt option", { presicion: "int8" }],
    ["no source", { source: "" }],
    ["one checkpoint in words", { oneCheckpoint: "yes" }],
    ["settings that are a number", { settings: 3 }],
  ])("%s is ERR_OPTION", async (_, options) => {
    await expect(run(options as Partial<ImportOptions>)).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});

describe("a source that cannot be used", () => {
  const folder = (change: (path: string) => void) => {
    const path = fresh();
    cpSync(goldenPath("llama-tied"), path, { recursive: true });
    change(path);
    return path;
  };
  const withConfig = (fields: object) =>
    folder((path) => {
      const file = join(path, "config.json");
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...fields }));
    });
  it.each<[string, string, () => string]>([
    ["nothing", "ERR_MODEL_FILE_MISSING", () => join(dir, "absent")],
    ["an empty folder", "ERR_MODEL_FILE_MISSING", () => folder((path) => rmSync(join(path, "config.json")))],
    ["no weights", "ERR_MODEL_FILE_MISSING", () => folder((path) => rmSync(join(path, "model.safetensors")))],
    ["a config that is no JSON", "ERR_PARSE", () => folder((path) => writeFileSync(join(path, "config.json"), "{"))],
    ["a config that is a list", "ERR_PARSE", () => folder((path) => writeFileSync(join(path, "config.json"), "[]"))],
    [
      "a config that is a folder",
      "ERR_PARSE",
      () =>
        folder((path) => {
          rmSync(join(path, "config.json"));
          mkdirSync(join(path, "config.json"));
        }),
    ],
    ["another architecture", "ERR_UNSUPPORTED", () => withConfig({ model_type: "gpt2" })],
    ["another activation", "ERR_UNSUPPORTED", () => withConfig({ hidden_act: "gelu" })],
    ["a sliding window", "ERR_UNSUPPORTED", () => withConfig({ sliding_window: 16 })],
    ["another rotary scaling", "ERR_UNSUPPORTED", () => withConfig({ rope_scaling: { type: "yarn", factor: 2 } })],
    ["a head dimension of 8", "ERR_UNSUPPORTED", () => withConfig({ head_dim: 8 })],
    ["layers without end", "ERR_PARSE", () => withConfig({ num_hidden_layers: 2 ** 23 })],
    ["a layer too many", "ERR_PARSE", () => withConfig({ num_hidden_layers: 3 })],
    ["a negative width", "ERR_PARSE", () => withConfig({ hidden_size: -32 })],
    ["another width", "ERR_PARSE", () => withConfig({ hidden_size: 64 })],
    ["3 heads over 2", "ERR_PARSE", () => withConfig({ num_attention_heads: 3 })],
    ["an end id outside", "ERR_PARSE", () => withConfig({ eos_token_id: 64 })],
    ["an end id of text", "ERR_PARSE", () => withConfig({ eos_token_id: "</s>" })],
    [
      "a shard that leads out",
      "ERR_PARSE",
      () =>
        folder((path) =>
          writeFileSync(join(path, "model.safetensors.index.json"), '{"weight_map":{"a":"../x.safetensors"}}'),
        ),
    ],
  ])("%s is %s", async (_, code, source) => {
    const out = fresh();
    await expect(run({ source: source(), out })).rejects.toMatchObject({ code });
    expect(existsSync(out)).toBe(false);
  });

  it("says so where there is no tokenizer", async () => {
    const source = goldenPath("llama-tied.gguf");
    await expect(importModel({ source, out: fresh() })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("tokenizer.json"),
    });
  });
});
