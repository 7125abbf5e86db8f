import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { runCli } from "./cli.ts";

const dir = mkdtempSync(join(tmpdir(), "cli-import-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const golden = (file: string) =>
  fileURLToPath(new URL(`../../../packages/model-import/test/golden/${file}`, import.meta.url));

async function cli(...argv: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await runCli(argv, {
    stdin: new PassThrough(),
    stdout,
    stderr,
    env: {},
    signal: new AbortController().signal,
    load: () => Promise.reject(new Error("import and export load nothing")),
  });
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

test("a GGUF file becomes a directory", async () => {
  writeFileSync(join(dir, "tokenizer.json"), "{}");
  const flags = ["--out", join(dir, "out"), "--tokenizer", join(dir, "tokenizer.json"), "--precision", "int8", "int4"];
  const { code, out, err } = await cli("import", golden("qwen3.gguf"), ...flags, "--json");
  expect(err).toBe("");
  expect(code).toBe(0);
  const result = JSON.parse(out);
  expect(result).toMatchObject({ name: "imported/qwen3", dir: join(dir, "out"), config: { family: "qwen3" } });
  expect(Object.keys(result.files)).toContain("target.int4.tree.onnx");
});

test("what is not there, and what is no model, is one line and code 1", async () => {
  const absent = await cli("import", join(dir, "absent.gguf"), "--out", join(dir, "x"));
  expect(absent).toMatchObject({ code: 1, err: expect.stringContaining("error [ERR_MODEL_FILE_MISSING]") });
  const wrong = await cli("import", golden("golden.json"), "--out", join(dir, "x"));
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("error [ERR_PARSE]") });
  expect(await cli("import", golden("qwen3"), "--out", dir)).toMatchObject({ code: 2 });
});

test("a model becomes a folder for transformers.js", async () => {
  const out = join(dir, "hub");
  const flags = ["--tokenizer", join(dir, "tokenizer.json"), "--dtype", "q4", "fp32"];
  const { code, out: text, err } = await cli("export", golden("qwen3.gguf"), "--out", out, ...flags, "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const { dir: written, files } = JSON.parse(text);
  expect(written).toBe(out);
  expect(Object.keys(files)).toEqual(
    expect.arrayContaining(["config.json", "onnx/model_q4.onnx", "onnx/model.onnx_data"]),
  );
  expect(await cli("export", golden("qwen3.gguf"), "--out", out, ...flags)).toMatchObject({ code: 2 });
  expect(await cli("export", golden("qwen3.gguf"))).toMatchObject({ code: 2 });
  expect(await cli("export", golden("qwen3.gguf"), "--out", join(dir, "y"), "--dtype", "q5")).toMatchObject({
    code: 2,
  });
});
