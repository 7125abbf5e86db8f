import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type DrafterName, type Engine } from "../src/engine.ts";
import { openPair } from "../src/pair.ts";
import { missingModel, modelDirectory } from "./model-directory.ts";

/** Prompts of the kind the pair was trained on. */
const PROMPTS = ["function add(a, b) {\n", "const fs = require('fs');\n"];

describe.skipIf(missingModel)(`the engine on the real pair${missingModel ? ` (skipped: ${missingModel})` : ""}`, () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ model: modelDirectory });
  });
  afterAll(() => engine?.dispose());

  test("says what is loaded", () => {
    expect(engine.info).toMatchObject({ precision: "int8", exactness: "exact", rowExact: true, drafter: "hybrid" });
    expect(engine.info.files.length).toBeGreaterThan(5);
    expect(engine.info.drafters).toContain("dlm");
  });

  test("puts the BOS id in front of text, and leaves ids alone", () => {
    const ids = engine.tokenizer.encode("let x");
    expect([...engine.encode("let x")]).toEqual([0, ...ids]);
    expect([...engine.encode("let x", { begin: false })]).toEqual([...ids]);
    expect(engine.encode(ids)).toBe(ids);
  });

  test.each([{}, { temperature: 0.7, seed: 3, repetitionPenalty: 1.1 }])(
    "every drafter writes what plain decoding writes, %o",
    async (sampling) => {
      const plain = await engine.openSession({ drafter: "none" });
      for (const drafter of engine.info.drafters) {
        const session = await engine.openSession({ drafter });
        for (const prompt of PROMPTS) {
          const options = { maxTokens: 24, ...sampling };
          expect([...(await run(session, prompt, options))]).toEqual([...(await run(plain, prompt, options))]);
        }
        await session.dispose();
      }
      await plain.dispose();
    },
  );

  test("hybrid is the n-gram where nothing is too little, and the diffusion model where nothing suffices", async () => {
    const rounds = async (from: Engine, drafter: DrafterName) => {
      const session = await from.openSession({ drafter });
      const seen: number[][] = [];
      for (const prompt of PROMPTS)
        for await (const { stats } of session.generate(prompt, { maxTokens: 40 }))
          seen.push([stats.drafted, stats.accepted]);
      await session.dispose();
      return seen;
    };
    for (const [least, same] of [
      [0, "ngram"],
      [1024, "dlm"],
    ] as const) {
      const other = await createEngine({ model: modelDirectory, ngram: { least } });
      expect(await rounds(other, "hybrid")).toEqual(await rounds(engine, same));
      await other.dispose();
    }
  });

  test("a tree of few nodes, and temperatures, shape the drafts and not the text", async () => {
    const text = async (from: Engine) => {
      const session = await from.openSession({ drafter: "dlm" });
      const drafted: number[] = [];
      let ids: number[] = [];
      for await (const round of session.generate(PROMPTS[0]!, { maxTokens: 40 })) {
        drafted.push(round.stats.drafted);
        ids = [...ids, ...round.tokens];
      }
      await session.dispose();
      return { drafted, ids };
    };
    const usual = await text(engine);
    for (const [options, limit] of [
      [{ search: { tree: { maxNodes: 3 } } }, 3],
      [{ lattice: { temperatures: [1, 8] }, search: { cut: 0.2 } }, 10],
    ] as const) {
      const other = await createEngine({ model: modelDirectory, ...options });
      const { drafted, ids } = await text(other);
      expect(ids).toEqual(usual.ids);
      expect(drafted).not.toEqual(usual.drafted);
      expect(Math.max(...drafted)).toBeLessThanOrEqual(limit);
      await other.dispose();
    }
  });

  test("refuses after dispose", async () => {
    const other = await createEngine({ model: modelDirectory, drafter: "none" });
    await other.dispose();
    await other.dispose();
    await expect(other.openSession()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });
});

describe("opening a model", () => {
  test.each([
    ["/nowhere/at/all", "ERR_MODEL_UNKNOWN"],
    ["no-such-name", "ERR_MODEL_UNKNOWN"],
  ])("%s is %s", async (model, code) => {
    await expect(createEngine({ model })).rejects.toMatchObject({ code });
  });

  test("whose package is not installed says how to install it", async () => {
    const opening = openPair("tiny-js", { load: () => Promise.reject(new Error("Cannot find package")) });
    await expect(opening).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    await expect(opening).rejects.toThrow("npm install @diffuspec/model-tiny-js");
  });
});

async function run(
  session: Awaited<ReturnType<Engine["openSession"]>>,
  prompt: string,
  options: Record<string, number>,
): Promise<Int32Array> {
  const generation = session.generate(prompt, options);
  for (;;) {
    const step = await generation.next();
    if (step.done) return step.value.tokens;
  }
}
