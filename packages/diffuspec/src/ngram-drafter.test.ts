import type { Outcome } from "@diffuspec/contracts";
import { estimateNgram, logProb, type NgramModel } from "@diffuspec/ngram-scorer";
import { complete, createSampler } from "@diffuspec/spec-loop";
import { createFakeVerifier, drafterConformance, plainDecode } from "@diffuspec/testkit";
import { describe, expect, test } from "vitest";
import { createGreedyNext } from "./greedy-ngram.ts";
import { createNgramDrafter } from "./ngram-drafter.ts";

const VOCABULARY = 12;

function randomModel(seed: number, order: number): NgramModel {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
  const text = Array.from({ length: 400 }, () => Math.floor(random() ** 2 * VOCABULARY));
  return estimateNgram([text], { order, vocabularySize: VOCABULARY });
}

test.each([1, 2, 3, 4])("the greedy next id of order %i is the argmax of all conditionals", (order) => {
  for (let seed = 1; seed <= 10; seed++) {
    const model = randomModel(seed, order);
    const next = createGreedyNext(model);
    for (let a = 0; a < VOCABULARY; a++)
      for (let b = 0; b < VOCABULARY; b++) {
        const context = [b, a, b];
        const best = Math.max(...Array.from({ length: VOCABULARY }, (_, id) => logProb(model, context, id)));
        expect(logProb(model, context, next(context))).toBeCloseTo(best, 5);
      }
  }
});

test("a model that knows the target is accepted, and the output is the target's own", async () => {
  const verifier = createFakeVerifier({ order: 1, vocabularySize: VOCABULARY });
  const sampler = createSampler({}, VOCABULARY);
  const { tokens: text } = await plainDecode(verifier, [3], sampler, { maxTokens: 60 });
  const model = estimateNgram([[3, ...text]], { order: 2, vocabularySize: VOCABULARY });
  const { totals, tokens } = await complete({ verifier, drafter: createNgramDrafter({ model, endIds: [] }) }, [3], {
    maxTokens: 45,
  });
  expect([...tokens]).toEqual(text.slice(0, 45));
  expect(totals.rounds).toBe(5);
});

test("the draft ends with an end of text, and begins with the head", async () => {
  const model = estimateNgram([[7, 1, 7, 1, 7, 1, 2, 5]], { order: 2, vocabularySize: VOCABULARY });
  const session = await createNgramDrafter({ model, endIds: [1] }).open();
  await session.begin({ ids: Int32Array.of(9), sampler: undefined as never });
  const request = { length: 9, nodes: 9, head: Int32Array.of(4, 7), signal: new AbortController().signal };
  const { tree, generatedLength } = await session.propose(request);
  expect([...tree.tokens]).toEqual([9, 4, 7, 1]);
  expect(generatedLength).toBe(2);
});

test("the online layer follows the text at hand, and a draft says what it expects", async () => {
  const model = estimateNgram([[7, 1, 7, 1, 7, 1, 2, 5]], { order: 2, vocabularySize: VOCABULARY });
  const session = await createNgramDrafter({ model, endIds: [] }).open();
  const request = { length: 3, nodes: 9, head: new Int32Array(0), signal: new AbortController().signal };
  await session.begin({ ids: Int32Array.of(7), sampler: undefined as never });
  const before = await session.propose(request);
  expect([...before.tree.tokens]).toEqual([7, 1, 7, 1]);
  await session.observe({ committed: Int32Array.of(9, 4, 7, 9, 4, 7, 9, 4, 7) } as unknown as Outcome);
  const after = await session.propose(request);
  expect([...after.tree.tokens]).toEqual([7, 9, 4, 7]);
  expect(after.expectedAccepted).toBeGreaterThan(1);
  expect(after.expectedAccepted).toBeLessThan(3);
  await session.begin({ ids: Int32Array.of(7), sampler: undefined as never });
  expect(await session.propose(request)).toEqual(before);
});

test("a cut ends the draft before it becomes unlikely, never before its first token", async () => {
  const model = estimateNgram([[7, 1, 7, 1, 7, 1, 2, 5]], { order: 2, vocabularySize: VOCABULARY });
  const length = async (cut: number) => {
    const session = await createNgramDrafter({ model, endIds: [], cut }).open();
    await session.begin({ ids: Int32Array.of(7), sampler: undefined as never });
    const request = { length: 9, nodes: 9, head: new Int32Array(0), signal: new AbortController().signal };
    const { tree, generatedLength } = await session.propose(request);
    expect(generatedLength).toBe(9);
    return tree.tokens.length - 1;
  };
  const lengths = await Promise.all([0, 0.1, 0.5, 0.999].map(length));
  expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
  expect([lengths[0], lengths[3]]).toEqual([9, 1]);
});

describe("conformance", () => {
  const model = estimateNgram([[1, 2, 3, 1, 2, 4]], { order: 3, vocabularySize: 32 });
  for (const { name, run } of drafterConformance(() => createNgramDrafter({ model, endIds: [] }))) test(name, run);
});
