import fc from "fast-check";
import { expect, test } from "vitest";
import { createNgramScorer, estimateNgram, logProb } from "./index.ts";

const VOCABULARY = 12;
const id = fc.integer({ min: 0, max: VOCABULARY - 1 });

test("the likely id is the argmax of all conditionals, for every order and context, in whatever order states come", () => {
  fc.assert(
    fc.property(
      fc.array(id, { minLength: 20, maxLength: 200 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(id, { maxLength: 6 }),
      (text, order, context) => {
        const model = estimateNgram([text], { order, vocabularySize: VOCABULARY });
        const scorer = createNgramScorer(model);
        let state = scorer.begin(new Int32Array(0));
        for (let length = 0; ; length++) {
          const before = context.slice(0, length);
          const best = Math.max(...Array.from({ length: VOCABULARY }, (_, next) => logProb(model, before, next)));
          const [found, ...others] = scorer.likely(state);
          expect(others).toEqual([]);
          expect(logProb(model, before, found!)).toBeCloseTo(best, 5);
          expect(scorer.score(state, found!)).toBeCloseTo(best, 5);
          if (length === context.length) break;
          state = scorer.advance(state, context[length]!);
        }
      },
    ),
    { numRuns: 300 },
  );
});
