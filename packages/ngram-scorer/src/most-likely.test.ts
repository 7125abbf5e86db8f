import fc from "fast-check";
import { expect, test } from "vitest";
import { createNgramScorer, estimateNgram, logProb, mostLikely } from "./index.ts";

const VOCABULARY = 12;
const id = fc.integer({ min: 0, max: VOCABULARY - 1 });

test("the most likely next id is the argmax of all conditionals, for every order and context", () => {
  fc.assert(
    fc.property(
      fc.array(id, { minLength: 20, maxLength: 200 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(id, { maxLength: 4 }),
      (text, order, context) => {
        const model = estimateNgram([text], { order, vocabularySize: VOCABULARY });
        const best = Math.max(...Array.from({ length: VOCABULARY }, (_, next) => logProb(model, context, next)));
        const found = mostLikely(model)(context);
        expect(logProb(model, context, found)).toBeCloseTo(best, 5);
        const scorer = createNgramScorer(model);
        expect(scorer.likely(scorer.begin(Int32Array.from(context)))).toEqual([found]);
      },
    ),
    { numRuns: 500 },
  );
});
