import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createNgramScorer, createUniformScorer, estimateNgram, logProb } from "./index.ts";

const corpus = fc.array(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 30 }), { minLength: 1, maxLength: 5 });
const usable = corpus.filter((sequences) => sequences.some((ids) => ids.length > 0));

/** A corpus with enough structure for real discounts: a seeded walk that favours a few successors. */
function walk(length: number, vocabularySize: number, seed: number): number[] {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const ids = [0, 1];
  while (ids.length < length) {
    const spread = Math.floor(random() ** 4 * vocabularySize);
    ids.push((ids.at(-1)! * 7 + ids.at(-2)! * 3 + spread) % vocabularySize);
  }
  return ids;
}

describe("estimateNgram", () => {
  test("a corpus small enough for the hand", () => {
    // a b a b a: unigram continuation counts a 1 (after b), b 1 (after a); bigrams ab 2, ba 2; fallback discounts .5 1 1.5
    const model = estimateNgram([[0, 1, 0, 1, 0]], { order: 2, vocabularySize: 3 });
    // p(a) = (1 - .5) / 2 + (.5 + .5) / 2 / 3, p(c) = 1 / 6
    expect(Math.exp(logProb(model, [], 0))).toBeCloseTo(0.25 + 1 / 6, 6);
    expect(Math.exp(logProb(model, [], 2))).toBeCloseTo(1 / 6, 6);
    // p(b | a) = (2 - 1) / 2 + 1 / 2 * p(b); p(c | a) = 1 / 2 * p(c)
    expect(Math.exp(logProb(model, [0], 1))).toBeCloseTo(0.5 + 0.5 * (0.25 + 1 / 6), 6);
    expect(Math.exp(logProb(model, [0], 2))).toBeCloseTo(1 / 12, 6);
    // nothing was seen after c: the unigrams
    expect(logProb(model, [2], 1)).toBeCloseTo(logProb(model, [], 1), 6);
  });

  test("n-grams do not cross sequences", () => {
    const model = estimateNgram(
      [
        [0, 1],
        [2, 3],
      ],
      { order: 2, vocabularySize: 4 },
    );
    expect(model.levels[1]!.logProb.length).toBe(2);
  });

  test.each([
    [{ order: 0, vocabularySize: 4 }, /order is 0/],
    [{ order: 7, vocabularySize: 4 }, /order is 7/],
    [{ vocabularySize: 1 }, /token id 1/],
    [{ vocabularySize: 4, prune: [1] }, /prune/],
    [{ vocabularySize: 4, prune: [0, 2, 1] }, /prune/],
  ])("%j is refused", (options, message) => {
    expect(() => estimateNgram([[0, 1]], options)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", message: expect.stringMatching(message) }),
    );
  });

  test("an empty corpus is refused", () => {
    expect(() => estimateNgram([[]], { vocabularySize: 4 })).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });
});

describe("createNgramScorer", () => {
  test("equals the definition for every context and candidate", () => {
    fc.assert(
      fc.property(
        usable,
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.array(fc.integer({ min: 0, max: 6 })), { minLength: 1, maxLength: 3 }),
        (sequences, order, contexts) => {
          const model = estimateNgram(sequences, { order, vocabularySize: 7 });
          const scorer = createNgramScorer(model);
          const all = Int32Array.of(6, 0, 1, 2, 3, 4, 5);
          const out = new Float64Array(7 * contexts.length);
          const states = contexts.map((context) => scorer.begin(Int32Array.from(context)));
          scorer.score(states, all, out);
          for (const [row, context] of contexts.entries())
            for (const [c, token] of all.entries()) expect(out[row * 7 + c]).toBe(logProb(model, context, token));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("advance is begin with one more id", () => {
    const scorer = createNgramScorer(estimateNgram([walk(500, 10, 1)], { order: 3, vocabularySize: 10 }));
    let state = scorer.begin(Int32Array.of());
    const ids: number[] = [];
    for (const id of [3, 1, 4, 1, 5]) {
      state = scorer.advance(state, id);
      ids.push(id);
      expect(state).toEqual(scorer.begin(Int32Array.from(ids)));
    }
  });

  test("a candidate outside the vocabulary is refused", () => {
    const scorer = createNgramScorer(estimateNgram([[0, 1]], { vocabularySize: 2 }));
    expect(() => scorer.score([[]], Int32Array.of(2), new Float64Array(1))).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
  });

  test("an out that is too short is refused, a longer one is left alone behind the scores", () => {
    const scorer = createNgramScorer(estimateNgram([[0, 1]], { vocabularySize: 2 }));
    expect(() => scorer.score([[], [0]], Int32Array.of(0, 1), new Float64Array(3))).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
    for (const some of [scorer, createUniformScorer(2)]) {
      const out = new Float64Array(4).fill(7);
      some.score([some.begin(new Int32Array(0))] as never, Int32Array.of(0, 1), out);
      expect([...out.subarray(2)]).toEqual([7, 7]);
    }
  });

  test("a context id that the vocabulary lacks is a context never seen", () => {
    const model = estimateNgram([[0, 1, 2]], { vocabularySize: 3 });
    const scorer = createNgramScorer(model);
    const out = new Float64Array(1);
    for (const strange of [-1, 3, 2 ** 31 - 1]) {
      scorer.score([scorer.begin(Int32Array.of(0, strange))], Int32Array.of(1), out);
      expect(out[0]).toBe(logProb(model, [], 1));
    }
  });

  test("the uniform scorer finds all ids equally likely", () => {
    const out = new Float64Array(3);
    void createUniformScorer(8).score([null], Int32Array.of(1, 2, 3), out);
    expect([...out]).toEqual(Array(3).fill(-Math.log(8)));
  });
});
