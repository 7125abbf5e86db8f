import { createEngine, type DrafterName, type Engine, type EngineOptions } from "diffuspec/engine";
import { afterAll, describe, expect, test } from "vitest";
import { HELD_OUT, readPrompts } from "../src/prompts.ts";

/** The real pair: every drafter, option and setting gives the ids of plain decoding. */
const PROMPTS = readPrompts(HELD_OUT).slice(0, 64);
const DRAFTERS = ["dlm", "hybrid", "dlm-argmax", "prompt-lookup", "recycling", "ngram"] as const;
const SAMPLED = { temperature: 0.8, topK: 50, topP: 0.95, seed: 11, repetitionPenalty: 1.05 };
const engines: Engine[] = [];

async function open(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await createEngine(options);
  engines.push(engine);
  return engine;
}

/** Ids of one completion; `dryMultiplier: 0` turns the model's own default off, so both ways are covered. */
async function write(
  engine: Engine,
  drafter: DrafterName,
  prompts: readonly string[],
  options: object,
): Promise<string[]> {
  const session = await engine.openSession({ drafter });
  const out: string[] = [];
  for (const prompt of prompts) {
    const generation = session.generate(prompt, options);
    for (let step = await generation.next(); ; step = await generation.next())
      if (step.done) {
        out.push([...step.value.tokens].join(" "));
        break;
      }
  }
  await session.dispose();
  return out;
}

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

describe("every drafter on 64 held-out prompts", async () => {
  const engine = await open();
  for (const [name, options] of [
    ["greedy with the model's penalty", { maxTokens: 48 }],
    ["plain greedy", { maxTokens: 32, dryMultiplier: 0 }],
    ["seeded sampling", { maxTokens: 32, ...SAMPLED }],
  ] as const) {
    const plain = write(engine, "none", PROMPTS, options);
    test.each(DRAFTERS)(`${name}: %s`, { timeout: 300_000 }, async (drafter) => {
      expect(await write(engine, drafter, PROMPTS, options)).toEqual(await plain);
    });
  }
});

test("the best-first tree on 64 held-out prompts", { timeout: 300_000 }, async () => {
  const engine = await open({ search: "tree" });
  const options = { maxTokens: 32 };
  expect(await write(engine, "dlm", PROMPTS, options)).toEqual(await write(engine, "none", PROMPTS, options));
});

describe("every setting of the diffusion drafter", () => {
  const few = PROMPTS.slice(0, 6);
  const greedy = { maxTokens: 40 };
  test.each<Partial<EngineOptions>>([
    { lattice: { tau: 0.3 } },
    { lattice: { tau: 1, maxCandidates: 16 } },
    { lattice: { maxCandidates: 1 } },
    { search: { lambda: 0 } },
    { search: { lambda: 1, beam: 1 } },
    { search: { beam: 8 } },
    { search: { cut: 0.6 } },
    { search: { online: false } },
    { search: { pooled: false } },
    { search: { pooled: { positions: 1, cut: 0 } } },
    { search: { pooled: true }, lengthController: { fixed: 24 } },
    { search: "tree" },
    { search: "tree", lengthController: { fixed: 20 } },
    { taps: false },
    { steps: 2 },
    { steps: 4, lengthController: { fixed: 12 } },
    { lengthController: "adl-paper" },
    { lengthController: "cost-aware" },
    { lengthController: "confidence" },
    { lengthController: { fixed: 0 } },
    { lengthController: { fixed: 1 } },
    { lengthController: { fixed: 31 } },
    { lengthController: { fixed: 40 } },
    { threads: 1 },
  ])("%j", { timeout: 120_000 }, async (options) => {
    const engine = await open(options);
    for (const mode of [greedy, { ...greedy, ...SAMPLED }])
      expect(await write(engine, "dlm", few, mode)).toEqual(await write(engine, "none", few, mode));
  });

  test("fp32 weights", { timeout: 120_000 }, async () => {
    const engine = await open({ precision: "fp32" });
    expect(await write(engine, "dlm", few, greedy)).toEqual(await write(engine, "none", few, greedy));
  });
});

test("plain decoding repeats itself, and the diffusion drafter is worth its name", { timeout: 120_000 }, async () => {
  const engine = await open();
  const session = await engine.openSession({ drafter: "dlm" });
  let accepted = 0;
  for (const prompt of PROMPTS.slice(0, 8))
    for await (const round of session.generate(prompt, { maxTokens: 48 })) accepted += round.accepted;
  expect(accepted).toBeGreaterThan(48); // of 8 x 48 tokens; a drafter that is wired wrongly accepts next to nothing
  const once = await write(engine, "none", PROMPTS.slice(0, 4), { maxTokens: 32 });
  expect(await write(engine, "none", PROMPTS.slice(0, 4), { maxTokens: 32 })).toEqual(once);
});
