import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createManifest } from "@diffuspec/model-files";
import { afterAll, describe, expect, test } from "vitest";
import { createEngine, type DrafterName, type Engine, type EngineOptions } from "../src/engine.ts";
import { loadOver } from "../src/model.ts";
import type { LoadOptions } from "../src/options.ts";
import { connect } from "./fake-engine.ts";
import { missingModel, modelDirectory } from "./model-directory.ts";

/** Small random models as they lie on the hub: onnx-decoder's make_hub_fixture.py with --bytes. */
const at = (name: string) => fileURLToPath(new URL(`./hub/${name}`, import.meta.url));
const target = at("target");
const drafterModel = { directory: at("canvas"), canvas: { maskId: 264 } };
const PROMPT = "abcab cabcabca";
const root = mkdtempSync(join(tmpdir(), "diffuspec-hub-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let copies = 0;
function copy(of: string, ...parts: string[]): string {
  const dir = join(root, String(copies++), ...parts);
  cpSync(of, dir, { recursive: true });
  return dir;
}
const change = (dir: string, file: string, edit: (json: Record<string, unknown>) => void) => {
  const json = JSON.parse(readFileSync(join(dir, file), "utf8"));
  edit(json);
  writeFileSync(join(dir, file), JSON.stringify(json));
};
async function withEngine<T>(options: Partial<EngineOptions>, use: (engine: Engine) => T | Promise<T>): Promise<T> {
  const engine = await createEngine({ threads: 1, ...options });
  try {
    return await use(engine);
  } finally {
    await engine.dispose();
  }
}
const refused = (options: Partial<EngineOptions>) =>
  withEngine(options, () => "loaded").then(
    () => ({ code: "none", message: "", details: {} }),
    ({ code, message, details }) => ({ code, message, details }),
  );
async function write(engine: Engine, drafter: DrafterName, options: object = {}) {
  const session = await engine.openSession({ drafter });
  const generation = session.generate(PROMPT, { maxTokens: 48, ...options });
  for (let drafted = 0; ; ) {
    const { done, value } = await generation.next();
    if (done) {
      await session.dispose();
      return { ids: [...value.tokens], drafted };
    }
    drafted += value.stats.drafted;
  }
}

const SAMPLERS = [{}, { temperature: 0.8, seed: 4, topP: 0.95 }, { repetitionPenalty: 1.1, maxTokens: 30 }];
async function expectEqualText(engine: Engine): Promise<void> {
  for (const options of SAMPLERS) {
    const plain = await write(engine, "none", options);
    expect(plain.drafted).toBe(0);
    for (const drafter of engine.info.drafters) {
      const { ids, drafted } = await write(engine, drafter, options);
      expect([drafter, ids]).toEqual([drafter, plain.ids]);
      if (drafter !== "none") expect([drafter, drafted > 0]).toEqual([drafter, true]);
    }
  }
}

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

describe("a published diffusion model as the drafter", () => {
  test("behind a published target no drafter changes the text", () =>
    withEngine({ model: target, drafterModel }, async (engine) => {
      expect(engine.info).toMatchObject({ drafter: "hybrid", draftModel: { layers: undefined } });
      expect(engine.info.drafters).toEqual([
        "hybrid",
        "dlm",
        "dlm-argmax",
        "prompt-lookup",
        "recycling",
        "ngram",
        "none",
      ]);
      await expectEqualText(engine);
    }));

  test("its search and its length are the facade's", () =>
    withEngine({ model: target, drafterModel, drafter: "dlm" }, async (engine) => {
      const lengths = async (choice: object) => {
        const session = await engine.openSession(choice);
        const drafted: number[] = [];
        for await (const { stats } of session.generate(PROMPT, { maxTokens: 20 })) drafted.push(stats.drafted);
        await session.dispose();
        return drafted;
      };
      expect(Math.max(...(await lengths({ lengthController: { fixed: 5 } })))).toBe(5);
      expect(Math.max(...(await lengths({ lengthController: { fixed: 2 } })))).toBe(2);
      expect(await lengths({ lengthController: { fixed: 0 } })).toEqual(new Array(20).fill(0));
    }));

  test("shifted, by blocks, in two steps, as a tree", async () => {
    const { directory, canvas } = drafterModel;
    const plain = await withEngine({ model: target }, (engine) => write(engine, "none"));
    for (const options of [
      { drafterModel: { directory, graph: "onnx/model_shifted.onnx", canvas: { ...canvas, shift: 1 } } },
      { drafterModel: { directory, graph: "onnx/model_additive.onnx", canvas: { ...canvas, blockSize: 4 } } },
      { drafterModel: { directory, graph: "onnx/model_additive.onnx", canvas }, steps: 2 },
      { drafterModel, search: "tree" },
    ] as const)
      await withEngine({ model: target, ...options }, async (engine) =>
        expect((await write(engine, "dlm")).ids).toEqual(plain.ids),
      );
  });

  test("the mask is found in config.json or tokenizer_config.json, or must be said", async () => {
    const directory = copy(at("canvas"));
    expect(await refused({ model: target, drafterModel: directory })).toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining("canvas: { maskId }"),
    });
    change(directory, "tokenizer_config.json", (json) => Object.assign(json, { mask_token: { content: "<|mask|>" } }));
    const ids = await withEngine({ model: target, drafterModel: directory }, (engine) => write(engine, "dlm"));
    const named = await withEngine({ model: target, drafterModel }, (engine) => write(engine, "dlm"));
    expect(ids).toEqual(named);
    writeFileSync(join(directory, "config.json"), '{"mask_token_id": 999}');
    expect(await refused({ model: target, drafterModel: directory })).toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining("999"),
    });
  });

  test("another vocabulary is refused with the first difference, unless it is a named exception", async () => {
    const directory = copy(at("canvas"));
    change(directory, "tokenizer.json", (json) => {
      (json.added_tokens as { content: string }[])[2]!.content = "<|other|>";
    });
    const other = { ...drafterModel, directory };
    expect(await refused({ model: target, drafter: "none", drafterModel: other })).toMatchObject({
      code: "ERR_VOCABULARY_MISMATCH",
      message: expect.stringContaining('Token id 258 is "<|reserved_0|>" to the target and "<|other|>" to the drafter'),
      details: { id: 258 },
    });
    const exceptions = [{ id: 258, target: "<|reserved_0|>", drafter: "<|other|>" }];
    const plain = await withEngine({ model: target }, (engine) => write(engine, "none"));
    await withEngine({ model: target, drafterModel: { ...other, exceptions } }, async (engine) =>
      expect((await write(engine, "dlm")).ids).toEqual(plain.ids),
    );
    rmSync(join(directory, "tokenizer.json"));
    expect(await refused({ model: target, drafterModel: other })).toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
  });

  test.each<[unknown, RegExp]>([
    [{ directory: "" }, /drafterModel/],
    [{ ...drafterModel, preset: "dream" }, /dream-7b/],
    [{ ...drafterModel, canvas: { maskID: 264 } }, /maskID/],
    [{ ...drafterModel, canvas: [] }, /canvas/],
    [{ ...drafterModel, exceptions: {} }, /exceptions/],
    [{ ...drafterModel, mask: 264 }, /mask/],
  ])("%o is ERR_OPTION", async (option, said) => {
    const { code, message } = await refused({ model: target, drafterModel: option as never });
    expect([code, message]).toEqual(["ERR_OPTION", expect.stringMatching(said)]);
  });
});

describe("a directory with a manifest", () => {
  async function pulled(fields: object = {}): Promise<string> {
    const dir = copy(target);
    cpSync(at("canvas"), join(dir, "drafter"), { recursive: true });
    const hubDrafter = {
      model: "org/canvas",
      licence: "MIT",
      canvas: { maskId: 264 },
      graph: "drafter/onnx/model.onnx",
    };
    const hubTarget = { graph: "onnx/model_q4.onnx" };
    await createManifest(dir, { name: "pairs/small", licence: "MIT", hubTarget, hubDrafter, ...fields });
    return dir;
  }

  test("runs the graph it names, drafts with what it brings, and says whose it is", async () => {
    const model = await pulled();
    await withEngine({ model }, async (engine) => {
      expect(engine.info).toMatchObject({
        model: "pairs/small",
        licence: "MIT",
        precision: "onnx/model_q4.onnx",
        drafter: "prompt-lookup",
      });
      const plain = await write(engine, "none");
      for (const drafter of ["dlm", "hybrid"] as const) expect((await write(engine, drafter)).ids).toEqual(plain.ids);
    });
    await withEngine({ model, dtype: "fp32" }, ({ info }) => expect(info.precision).toBe("fp32"));
  });

  test("is checked: files, fields, vocabulary", async () => {
    const altered = await pulled();
    writeFileSync(join(altered, "config.json"), "{}");
    expect(await refused({ model: altered })).toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
    expect(await refused({ model: await pulled({ hubTarget: { dtype: "q4" } }) })).toMatchObject({ code: "ERR_PARSE" });
    expect(await refused({ model: await pulled({ hubTarget: { graph: "onnx/x.onnx" } }) })).toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
    });
    const preset = { graph: "drafter/onnx/model.onnx", preset: "later" };
    expect(await refused({ model: await pulled({ hubDrafter: preset }) })).toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining("later"),
    });
    // A drafter without a folder of its own would be compared with the target's own tokenizer.
    const beside = { graph: "onnx/model.onnx", canvas: { maskId: 3 } };
    await withEngine({ model: await pulled({ hubDrafter: undefined }) }, ({ info }) =>
      expect(info.drafters).not.toContain("dlm"),
    );
    expect(await refused({ model: await pulled({ hubDrafter: beside }) })).toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
    });
  });

  test.skipIf(missingModel)("of ours may bring a published drafter too, and the gate stands before it", async () => {
    const dir = copy(modelDirectory);
    cpSync(at("canvas"), join(dir, "drafter"), { recursive: true });
    const { drafter: _, ...manifest } = JSON.parse(readFileSync(join(dir, "manifest.json"), "utf8"));
    const hubDrafter = { canvas: { maskId: 264 }, graph: "drafter/onnx/model.onnx" };
    await createManifest(dir, { ...manifest, hubDrafter });
    expect(await refused({ model: dir })).toMatchObject({ code: "ERR_VOCABULARY_MISMATCH" });
  });
});
