import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importModel } from "@diffuspec/model-import";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../src/engine.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "int4-"));
const dir = join(folder, "model");
beforeAll(async () => {
  writeSmallModel(join(folder, "source"));
  await importModel({ source: join(folder, "source"), out: dir, precision: ["int4", "int8"] });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROMPTS = ["a rose is a rose is a rose", "for (let i = 0; i < 10; i++) {\n", "one two three one two three one"];

async function complete(engine: Engine, drafter: "prompt-lookup" | "recycling" | "none", sampling: object) {
  const session = await engine.openSession({ drafter });
  const texts: string[] = [];
  let accepted = 0;
  for (const prompt of PROMPTS) {
    let text = "";
    for await (const round of session.generate(prompt, { maxTokens: 64, ...sampling })) {
      text += round.text;
      accepted += round.stats.accepted;
    }
    texts.push(text);
  }
  await session.dispose();
  return { texts, accepted };
}

describe("an imported int4 model", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ model: dir, precision: "int4", drafter: "prompt-lookup" });
  });
  afterAll(() => engine?.dispose());

  test("is row-exact and says what it is", () => {
    expect(engine.info).toMatchObject({ precision: "int4", exactness: "exact", rowExact: true });
    expect(engine.verifier.exactness).toBe("exact");
  });

  test.each([{}, { temperature: 0.8, seed: 5 }, { repetitionPenalty: 1.2 }])(
    "drafts change nothing of the text, %o",
    async (sampling) => {
      const plain = await complete(engine, "none", sampling);
      expect(plain.texts.join("").length).toBeGreaterThan(30);
      for (const drafter of ["prompt-lookup", "recycling"] as const)
        expect((await complete(engine, drafter, sampling)).texts).toEqual(plain.texts);
    },
  );

  test("and there are drafts that were accepted", async () => {
    expect((await complete(engine, "prompt-lookup", {})).accepted).toBeGreaterThan(10);
  });

  test("its tree graph gives the trunk the chain's bits", async () => {
    const { rowExactness } = await engine.inspect({ thorough: false, rowCounts: [2], repeats: 1 });
    expect(rowExactness).toMatchObject({ rowExact: true, firstDifference: undefined });
  });

  test("other weights are another model", async () => {
    const int8 = await createEngine({ model: dir, drafter: "none" });
    try {
      expect(int8.info.precision).toBe("int8");
      expect((await complete(int8, "none", {})).texts).not.toEqual((await complete(engine, "none", {})).texts);
    } finally {
      await int8.dispose();
    }
  });

  test("weights that are not there are ERR_OPTION", async () => {
    await expect(createEngine({ model: dir, precision: "fp32", drafter: "none" })).rejects.toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining("int4 and int8"),
    });
  });
});

describe("a pair by name", () => {
  const part = { model: "me/mine", licence: "MIT", parameters: 1 };
  const registry = {
    format: 1,
    pairs: {
      mine: {
        title: "mine",
        target: part,
        drafter: null,
        source: { kind: "directory", path: dir },
        load: { drafter: "prompt-lookup", precision: "int4" },
        measured: null,
        notMeasured: "not measured",
      },
    },
  };

  test("loads with what its registry says suits it, and the caller's word above that", async () => {
    const engine = await createEngine({ model: "mine", registry });
    expect(engine.info).toMatchObject({ directory: dir, drafter: "prompt-lookup", precision: "int4" });
    await engine.dispose();
    const other = await createEngine({ model: "mine", registry, drafter: "none", precision: "int8" });
    expect(other.info).toMatchObject({ drafter: "none", precision: "int8" });
    await other.dispose();
  });

  test("that nobody knows is told with those that are known", async () => {
    await expect(createEngine({ model: "mine" })).rejects.toMatchObject({
      code: "ERR_MODEL_UNKNOWN",
      message: expect.stringMatching(/tiny-js, smollm2-135m/),
    });
    await expect(createEngine({ model: "other", registry })).rejects.toMatchObject({
      details: { known: expect.arrayContaining(["mine", "tiny-js"]) },
    });
  });

  test("of a registry that is wrong is ERR_PARSE, of none ERR_OPTION", async () => {
    await expect(createEngine({ model: "mine", registry: { format: 2 } })).rejects.toMatchObject({ code: "ERR_PARSE" });
    await expect(createEngine({ model: "mine", registry: [] })).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});
