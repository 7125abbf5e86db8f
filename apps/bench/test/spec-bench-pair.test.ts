import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createManifest } from "@diffuspec/model-files";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { afterAll, describe, expect, test } from "vitest";
import { findPair, readSpecBenchArguments } from "../src/spec-bench-arguments.ts";
import { measure } from "../src/spec-bench-measure.ts";
import { openField } from "../src/spec-bench-methods.ts";
import { METHOD_NAMES } from "../src/spec-bench-names.ts";
import { data, folder, options } from "./spec-bench-field.ts";

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the embedded pair with a chat template", () => {
  const few = { ...options, perTask: 1, maxTokens: 8, data: { ...data, questions: data.questions.slice(1, 3) } };
  const copy = async (name: string, change: (manifest: Record<string, unknown>) => void = () => {}) => {
    const directory = join(folder, name);
    cpSync(modelDirectory, directory, { recursive: true });
    const template = "{% for m in messages %}// {{ m.role }}: {{ m.content }}\n{% endfor %}";
    writeFileSync(join(directory, "chat.jinja"), template);
    const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
    delete manifest.target.graphs.fp32; // `ar` would time it too
    change(manifest);
    await createManifest(directory, { ...manifest, chatTemplate: "chat.jinja" });
    return directory;
  };

  test("all methods run, and all are identical", { timeout: 300_000 }, async () => {
    const field = await openField({ directory: await copy("whole"), methods: METHOD_NAMES, draftLength: 8 });
    expect(field.missing).toEqual([]);
    const { result, records } = await measure(field, few);
    await field.dispose();
    expect(result.identical).toBe(true);
    expect(result.tasks[0]!.methods.map(({ name }) => name)).toEqual(METHOD_NAMES.slice(2));
    expect(result.mean.meanAcceptedTokens).toBeGreaterThanOrEqual(1);
    for (const { turns } of records)
      for (const { runs, promptTokens } of turns)
        for (const run of Object.values(runs)) {
          expect(run.prefillMs).toBeGreaterThan(0);
          expect(run.reused).toBe(0);
          expect(promptTokens).toBeGreaterThan(5);
        }
  });

  test("without drafter and n-gram the rest runs, and the result says so", { timeout: 300_000 }, async () => {
    const directory = await copy("target-only", (manifest) => {
      delete manifest.drafter;
      delete manifest.ngram;
    });
    const field = await openField({ directory, methods: METHOD_NAMES, draftLength: 8 });
    const { result } = await measure(field, few);
    await field.dispose();
    expect(result.missing.map(({ name }) => name)).toEqual(METHOD_NAMES.slice(4));
    expect(result.missing[0]!.why).toContain("dlm-argmax");
    // the n-gram of nothing but the text at hand
    expect(result.tasks[0]!.methods.map(({ name }) => name)).toEqual(["promptLookup", "ngram"]);
    expect(result.mean).toMatchObject({ speedup: null, meanAcceptedTokens: null });
    expect(result.identical).toBe(true);
  });

  test("without a template the first question is refused by name", { timeout: 300_000 }, async () => {
    const field = await openField({ directory: modelDirectory, methods: ["ar", "arExact"], draftLength: 8 });
    await expect(measure(field, options)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await field.dispose();
  });
});

describe("the command line", () => {
  test("fills in the defaults, the whole protocol, and where the log lies", () => {
    const read = (...argv: string[]) => readSpecBenchArguments(["--data", "q", ...argv]);
    expect(read()).toMatchObject({ pair: "smollm2-135m", perTask: 10, maxTokens: 256, log: undefined });
    expect(read().methods).toEqual(METHOD_NAMES);
    expect(read("--full")).toMatchObject({ perTask: Number.POSITIVE_INFINITY, maxTokens: 1024 });
    expect(read("--full", "--max-tokens", "9")).toMatchObject({ maxTokens: 9 });
    expect(read("--out", "r.json")).toMatchObject({ log: "r.json.partial.jsonl", keepLog: false });
    expect(read("--resume", "l")).toMatchObject({ log: "l", keepLog: true });
    expect(read().peers).toEqual([]);
    expect(read("--peers").peers).toEqual(read("--peers", "all").peers);
    expect(read("--peers", "all").peers).toContain("transformers.js-q4");
    expect(read("--peers", "node-llama-cpp, transformers.js-q8").peers).toEqual([
      "transformers.js-q8",
      "node-llama-cpp",
    ]);
    expect(read("--methods", "diffuspec").methods).toEqual(["ar", "arExact", "diffuspec"]);
  });

  test.each([
    [[], /--data is missing/],
    [["--data", "q", "--per-task", "0"], /--per-task is 0/],
    [["--data", "q", "--max-tokens", "x"], /--max-tokens is x/],
    [["--data", "q", "--methods", "magic"], /"magic"; there are/],
    [["--data", "q", "--precision", "q8"], /int8 or fp32/],
    [["--data", "q", "--peers", "llama"], /"llama"; there are all, transformers/],
    [["--data", "q", "--gguf", "not-here.gguf"], /no such file/],
    [["--data", "q", "--nonsense"], /nonsense/],
  ])("%j is refused", (argv, message) => {
    expect(() => readSpecBenchArguments(argv)).toThrow(message);
  });

  test("a pair is a path, a name in models/, or the embedded one", async () => {
    const root = mkdtempSync(join(folder, "root-"));
    expect(() => findPair("smollm2-135m", root)).toThrow(/npm run smollm2/);
    expect(() => findPair("./not-here", root)).toThrow(expect.objectContaining({ code: "ERR_MODEL_UNKNOWN" }));
    expect(findPair("tiny-js", root)).toBe(modelDirectory);
    expect(findPair(modelDirectory, root)).toBe(modelDirectory);
    const named = join(root, "models", "mine");
    cpSync(join(modelDirectory, "manifest.json"), join(named, "manifest.json"));
    expect(findPair("mine", root)).toBe(named);
  });
});
