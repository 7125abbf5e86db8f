import { readFileSync } from "node:fs";
import type { Vocabulary } from "@diffuspec/contracts";
import { createBeamSearch, createTreeSearch } from "@diffuspec/cps";
import { assertSameVocabulary, complete, openSession } from "@diffuspec/spec-loop";
import { createFakeVerifier, drafterConformance, oracleDrafter } from "@diffuspec/testkit";
import { readVocabulary } from "@diffuspec/tokenizer";
import { describe, expect, test } from "vitest";
import { at, KNOWN, load, MASK } from "../test/canvas-fixture.ts";
import type { CanvasDrafterOptions } from "./index.ts";

const scorer = {
  name: "flat",
  begin: () => 0,
  advance: () => 0,
  score: (_: unknown, __: unknown, out: Float64Array) => void out.fill(-1),
};
const KINDS: [string, string, Partial<CanvasDrafterOptions>][] = [
  ["unshifted", "model", {}],
  ["shifted", "model_shifted", { shift: 1 }],
  ["a mask of ones, beam search", "model_ones", { search: createBeamSearch({ scorer }) }],
  ["an additive mask, half precision, blocks", "model_additive_fp16", { blockSize: 8 }],
  ["S = 3, a tree", "model", { steps: 3, search: createTreeSearch({ scorer }), window: 7 }],
];
const within = (size: number) => ({ lattice: { targetVocabularySize: size } });

describe.each(KINDS)("conformance: %s", (_, graph, options) => {
  // 64 ids: fewer than the drafter's 72; 80: more.
  for (const vocabularySize of [64, 80])
    for (const { name, run } of drafterConformance(() => load(graph, { ...within(vocabularySize), ...options }), {
      vocabularySize,
    }))
      test(`${vocabularySize} ids: ${name}`, run);
});

describe("through the loop", () => {
  test.each(KINDS)("the target's text is its own: %s", async (_, graph, options) => {
    const verifier = createFakeVerifier({ vocabularySize: 64, order: 2, contextLength: 256 });
    const drafter = await load(graph, { ...within(64), ...options });
    for (const sampler of [{}, { temperature: 0.7, seed: 3 }]) {
      const asked = { maxTokens: 48, sampler };
      const plain = await complete({ verifier }, KNOWN, asked);
      const drafted = await complete({ verifier, drafter }, KNOWN, asked);
      expect([...drafted.tokens]).toEqual([...plain.tokens]);
      expect(drafted.totals.drafted).toBeGreaterThan(0);
    }
  });

  test("the vocabularies of both are compared, and named exceptions let a pair through", async () => {
    const json = (part: string) => readFileSync(at(`${part}/tokenizer.json`), "utf8");
    const target = await readVocabulary(json("target"));
    const own = await readVocabulary(json("canvas"));
    expect([target.size, own.size, own.piece(MASK)]).toEqual([64, 66, "<|mask|>"]);
    expect(assertSameVocabulary(target, own)).toEqual([]);
    expect(() => assertSameVocabulary(own, target)).toThrow('id 64 is "<|mask|>" to the target and absent');

    const renamed: Vocabulary = { ...own, fingerprint: "", piece: (id) => (id === 63 ? "<|tool|>" : own.piece(id)) };
    const verifier = { ...createFakeVerifier({ vocabularySize: 64 }), vocabulary: target };
    const exceptions = [{ id: 63, target: target.piece(63), drafter: "<|tool|>" }];
    const foreignIds = assertSameVocabulary(target, renamed, { exceptions });
    expect(foreignIds).toEqual([63]);
    const drafter = await load("model", { vocabulary: renamed, foreignIds, ...within(64) });
    await expect(openSession({ verifier, drafter })).rejects.toMatchObject({ code: "ERR_VOCABULARY_MISMATCH" });
    const session = await openSession({ verifier, drafter, vocabularyGate: { exceptions } });
    await session.dispose();
  });

  test("a fake that knows the target shows what acceptance would look like", async () => {
    // Guards the losslessness tests above against a target that never accepts anything.
    const verifier = createFakeVerifier({ vocabularySize: 64, order: 2, contextLength: 256 });
    const { totals } = await complete({ verifier, drafter: oracleDrafter(verifier.model) }, KNOWN, { maxTokens: 48 });
    expect(totals.accepted).toBeGreaterThan(30);
  });
});
