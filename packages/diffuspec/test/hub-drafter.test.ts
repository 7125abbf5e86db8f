import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createManifest } from "@diffuspec/model-files";
import { describe, expect, test } from "vitest";
import {
  at,
  change,
  copy,
  drafterModel,
  expectEqualText,
  PROMPT,
  refused,
  target,
  withEngine,
  write,
} from "./hub-models.ts";
import { missingModel, modelDirectory } from "./model-directory.ts";

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
