import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../src/engine.ts";
import { loadOver } from "../src/model.ts";
import type { LoadOptions } from "../src/options.ts";
import { connect } from "./fake-engine.ts";
import {
  change,
  copy,
  drafterModel,
  expectEqualText,
  PROMPT,
  refused,
  root,
  target,
  withEngine,
  write,
} from "./hub-models.ts";
import { missingModel, modelDirectory } from "./model-directory.ts";

describe("a folder as it lies on the hub", () => {
  test.each([["fp32"], ["q4"]] as const)("%s: what drafts without a model does not change the text", (dtype) =>
    withEngine({ model: target, dtype }, async (engine) => {
      expect(engine.info).toMatchObject({
        model: "target",
        directory: target,
        precision: dtype,
        rowExact: true,
        drafter: "prompt-lookup",
        drafters: ["prompt-lookup", "recycling", "ngram", "none"],
        vocabularySize: 264,
        contextLength: 96,
        target: { layers: 2, width: 32 },
        draftModel: undefined,
        chat: false,
      });
      expect(engine.verifier.eosIds).toEqual([0, 263]);
      await expectEqualText(engine);
    }),
  );

  test("the graph is the first that usually is exact, and the files listed are those of it", () =>
    withEngine({ model: target }, ({ info }) => {
      expect(info.precision).toBe("fp32");
      expect(info.files.map(({ name }) => name)).toEqual([
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
      ]);
    }));

  test("q4 alone is taken without being asked for, and so is the only graph of another name", async () => {
    const dir = copy(target);
    for (const file of ["model.onnx", "model.onnx_data", "model_quantized.onnx"]) rmSync(join(dir, "onnx", file));
    await withEngine({ model: dir }, ({ info }) => expect(info.precision).toBe("q4"));
    renameSync(join(dir, "onnx/model_q4.onnx"), join(dir, "onnx/own.onnx"));
    await withEngine({ model: dir }, ({ info }) => expect(info.precision).toBe("onnx/own.onnx"));
  });

  test("q8 is refused in exact mode with the way out, and runs in tolerant mode", async () => {
    const exact = await refused({ model: target, dtype: "q8" });
    expect(exact).toMatchObject({
      code: "ERR_NOT_ROW_EXACT",
      message: expect.stringContaining('exactness: "tolerant"'),
    });
    await withEngine({ model: target, dtype: "q8", exactness: "tolerant" }, async (engine) => {
      expect(engine.info).toMatchObject({ precision: "q8", exactness: "tolerant", rowExact: undefined });
      expect((await write(engine, "prompt-lookup")).ids.length).toBeGreaterThan(0);
    });
  });

  test("from the hub's own cache, of links, has the repository's name", async () => {
    const dir = join(root, "models--org--tiny/snapshots/0123abcd");
    mkdirSync(join(dir, "onnx"), { recursive: true });
    for (const file of ["config.json", "tokenizer.json", "onnx/model.onnx", "onnx/model.onnx_data"])
      symlinkSync(join(target, file), join(dir, file));
    await withEngine({ model: dir }, ({ info, verifier }) => {
      expect(info.model).toBe("org/tiny");
      expect(verifier.eosIds).toEqual([0]);
    });
  });

  test("is named by a registry as any other directory", () => {
    const part = { model: "me/mine", licence: "MIT", parameters: 1000 };
    const source = { kind: "directory", path: target };
    const entry = { title: "mine", target: part, drafter: null, source, measured: null, notMeasured: "not" };
    const registry = { format: 1, pairs: { mine: { ...entry, load: { drafter: "ngram" } } } };
    return withEngine({ model: "mine", registry }, ({ info }) =>
      expect(info).toMatchObject({ model: "mine", drafter: "ngram" }),
    );
  });

  test("has a context of its own choosing, as long as the model has", async () => {
    await withEngine({ model: target, contextLength: 50 }, ({ info }) => expect(info.contextLength).toBe(50));
    expect(await refused({ model: target, contextLength: 97 })).toMatchObject({ code: "ERR_OPTION" });
  });

  test("is inspected: chains only, and the passes timed have their logits", () =>
    withEngine({ model: target, drafter: "none" }, async (engine) => {
      const { rowExactness, timeByRows } = await engine.inspect({ thorough: false, rowCounts: [1, 4], repeats: 1 });
      expect(rowExactness).toMatchObject({ rowExact: true, firstDifference: undefined });
      expect(timeByRows.map(({ rows }) => rows)).toEqual([1, 4]);
    }));

  test("that is not row-exact is told so, with what differed", () =>
    withEngine({ model: target, dtype: "q8", exactness: "tolerant", drafter: "none" }, async (engine) => {
      const { rowExactness } = await engine.inspect({ thorough: false, rowCounts: [1], repeats: 1 });
      expect(rowExactness).toMatchObject({ rowExact: false, firstDifference: { output: "logits" } });
    }));

  test("what does not fit is a typed error", async () => {
    expect(await refused({ model: target, dtype: "int8" })).toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    expect(await refused({ model: target, dtype: "q5" as never })).toMatchObject({ code: "ERR_OPTION" });
    expect(await refused({ model: target, precision: "fp32" })).toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining("dtype"),
    });
    expect(await refused({ model: target, drafter: "dlm" })).toMatchObject({ code: "ERR_OPTION" });
    const dir = copy(target);
    rmSync(join(dir, "tokenizer.json"));
    expect(await refused({ model: dir })).toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringContaining("tokenizer.json"),
    });
    rmSync(join(dir, "onnx"), { recursive: true });
    expect(await refused({ model: dir })).toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    writeFileSync(join(dir, "model.safetensors"), "");
    expect((await refused({ model: dir })).message).toContain(`diffuspec import ${dir}`);
  });

  test.skipIf(missingModel)("what is meant for it is refused by an imported model", async () => {
    for (const option of [{ dtype: "fp32" }, { contextLength: 64 }] as const)
      expect(await refused({ model: modelDirectory, drafter: "none", ...option })).toMatchObject({
        code: "ERR_OPTION",
        message: expect.stringContaining(Object.keys(option)[0]!),
      });
  });
});

describe("load()", () => {
  const load = (options: Partial<LoadOptions>) => loadOver(() => connect(createEngine), { threads: 1, ...options });

  test("hands all of it over", async () => {
    const exceptions = [{ id: 258, target: undefined, drafter: "unlike" }];
    const model = await load({ model: target, dtype: "q4", drafterModel: { ...drafterModel, exceptions } });
    expect(model.info).toMatchObject({ precision: "q4", drafter: "hybrid" });
    const plain = await model.complete(PROMPT, { maxTokens: 24, drafter: "none" });
    expect((await model.complete(PROMPT, { maxTokens: 24 })).ids).toEqual(plain.ids);
    await model.dispose();
  });

  test("brings its errors back whole", async () => {
    await expect(load({ model: target, dtype: "q8" })).rejects.toMatchObject({
      code: "ERR_NOT_ROW_EXACT",
      details: { output: "logits" },
    });
  });
});

describe("text", () => {
  const template = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}";
  const messages = [{ role: "user", content: "abc" }];
  const rendered = (engine: Engine) => Int32Array.of(1, ...engine.tokenizer.encode("user: abc"), 0);

  test.each<[string, (dir: string) => void]>([
    ["chat_template.jinja", (dir) => writeFileSync(join(dir, "chat_template.jinja"), template)],
    [
      "a text",
      (dir) => change(dir, "tokenizer_config.json", (json) => Object.assign(json, { chat_template: template })),
    ],
    [
      "a list",
      (dir) =>
        change(dir, "tokenizer_config.json", (json) => {
          json.chat_template = [
            { name: "tool_use", template: "x" },
            { name: "default", template },
          ];
        }),
    ],
  ])("conversations: the template is %s", async (_, edit) => {
    const dir = copy(target);
    edit(dir);
    await withEngine({ model: dir }, (engine) => {
      expect(engine.info.chat).toBe(true);
      expect(engine.encode({ messages })).toEqual(rendered(engine));
    });
  });

  test("begins with the BOS id where the tokenizer says so, and not where config.json names one", async () => {
    const dir = copy(target);
    const first = () => withEngine({ model: dir }, (engine) => engine.encode("abc")[0]);
    expect(await first()).toBe(2 + 97);
    change(dir, "tokenizer_config.json", (json) => Object.assign(json, { add_bos_token: true }));
    expect(await first()).toBe(1);
    change(dir, "tokenizer_config.json", (json) => Object.assign(json, { add_bos_token: false }));
    change(dir, "tokenizer.json", (json) => {
      const single = [{ SpecialToken: { id: "<|start|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }];
      json.post_processor = { type: "Sequence", processors: [{ type: "TemplateProcessing", single }] };
    });
    expect(await first()).toBe(1);
  });
});
