import type { Outcome } from "@diffuspec/contracts";
import { createOnlineScorer, estimateNgram, type NgramModel } from "@diffuspec/ngram-scorer";
import { complete, createSampler } from "@diffuspec/spec-loop";
import { createFakeVerifier, drafterConformance, plainDecode } from "@diffuspec/testkit";
import { describe, expect, test } from "vitest";
import { chanceOf } from "./coupled-ngram.ts";
import { createNgramDrafter } from "./ngram-drafter.ts";

const VOCABULARY = 12;

const request = (given: { length: number; head?: Int32Array }) => ({
  nodes: 9,
  head: new Int32Array(0),
  signal: new AbortController().signal,
  ...given,
});

function randomModel(seed: number, order: number): NgramModel {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
  const text = Array.from({ length: 400 }, () => Math.floor(random() ** 2 * VOCABULARY));
  return estimateNgram([text], { order, vocabularySize: VOCABULARY });
}

test.each([0.3, 0.7, 1.5])(
  "at temperature %d it drafts what the sampler takes from the n-gram's own probabilities",
  async (t) => {
    const all = Int32Array.from({ length: VOCABULARY }, (_, id) => id);
    for (let seed = 1; seed <= 20; seed++) {
      const model = randomModel(seed, 3);
      const ids = Int32Array.from({ length: 20 }, (_, i) => (i * i * seed) % VOCABULARY);
      const sampler = createSampler({ temperature: t, seed }, VOCABULARY);
      const session = await createNgramDrafter({ model, endIds: [] }).open();
      await session.begin({ ids, sampler });
      const { tree } = await session.propose(request({ length: 3 }));
      const scorer = createOnlineScorer(model);
      scorer.learn(ids);
      const text = [...ids];
      for (const token of tree.tokens.subarray(1)) {
        const scores = new Float64Array(VOCABULARY);
        scorer.score([scorer.begin(Int32Array.from(text))], all, scores);
        expect(token).toBe(sampler.token(Float32Array.from(scores), text.length, Int32Array.from(text)));
        text.push(token);
      }
    }
  },
);

test("where one samples, the chance of a draft is small where the noise leaves two ids close", () => {
  expect(chanceOf(0)).toBeLessThan(0.2);
  expect(chanceOf(10)).toBeGreaterThan(0.95);
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
  const { tree, generatedLength } = await session.propose(request({ length: 9, head: Int32Array.of(4, 7) }));
  expect([...tree.tokens]).toEqual([9, 4, 7, 1]);
  expect(generatedLength).toBe(2);
});

test("the online layer follows the text at hand, and a draft says what it expects", async () => {
  const model = estimateNgram([[7, 1, 7, 1, 7, 1, 2, 5]], { order: 2, vocabularySize: VOCABULARY });
  const session = await createNgramDrafter({ model, endIds: [] }).open();
  const three = request({ length: 3 });
  await session.begin({ ids: Int32Array.of(7), sampler: undefined as never });
  const before = await session.propose(three);
  expect([...before.tree.tokens]).toEqual([7, 1, 7, 1]);
  await session.observe({ committed: Int32Array.of(9, 4, 7, 9, 4, 7, 9, 4, 7) } as unknown as Outcome);
  const after = await session.propose(three);
  expect([...after.tree.tokens]).toEqual([7, 9, 4, 7]);
  expect(after.expectedAccepted).toBeGreaterThan(1);
  expect(after.expectedAccepted).toBeLessThan(3);
  await session.begin({ ids: Int32Array.of(7), sampler: undefined as never });
  expect(await session.propose(three)).toEqual(before);
});

test("a cut ends the draft before it becomes unlikely, never before its first token", async () => {
  const model = estimateNgram([[7, 1, 7, 1, 7, 1, 2, 5]], { order: 2, vocabularySize: VOCABULARY });
  const length = async (cut: number) => {
    const session = await createNgramDrafter({ model, endIds: [], cut }).open();
    await session.begin({ ids: Int32Array.of(7), sampler: undefined as never });
    const { tree, generatedLength } = await session.propose(request({ length: 9 }));
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
