import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createNgramScorer,
  createOnlineScorer,
  estimateNgram,
  type NgramModel,
  type SyncCausalScorer,
} from "./index.ts";

const VOCABULARY = 6;
const id = fc.integer({ min: 0, max: VOCABULARY - 1 });
const ids = fc.array(id, { maxLength: 40 });
const text = [0, 1, 2, 3, 1, 2, 4, 1, 2, 3, 0, 0, 1, 2, 3, 1, 2, 5];

/** One step of a search: a state anew, or one id behind the last state or an earlier one; then what is asked of it. */
const step = fc.record({
  from: fc.oneof(
    { weight: 6, arbitrary: fc.constant("last" as const) },
    { weight: 1, arbitrary: fc.nat(30) },
    { weight: 1, arbitrary: fc.array(fc.integer({ min: -1, max: VOCABULARY + 1 }), { maxLength: 8 }) },
  ),
  id,
  asked: fc.array(id, { maxLength: 3 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Every score of the walk is, to the bit, that of a scorer which has seen nothing else. */
function follow(make: () => SyncCausalScorer<readonly number[]>, steps: readonly Step[]): void {
  const scorer = make();
  const seen = [{ state: scorer.begin(new Int32Array(0)), ids: [] as readonly number[] }];
  for (const { from, id, asked } of steps) {
    const old = seen.at(typeof from === "number" ? from % seen.length : -1)!;
    const next = Array.isArray(from)
      ? { state: scorer.begin(Int32Array.from(from)), ids: from }
      : { state: scorer.advance(old.state, id), ids: [...old.ids, id] };
    seen.push(next);
    const fresh = make();
    const [out, expected] = [new Float64Array(asked.length), new Float64Array(asked.length)];
    for (let c = 0; c < asked.length; c++) {
      scorer.score([next.state], Int32Array.of(asked[c]!), out.subarray(c));
      fresh.score([fresh.begin(Int32Array.from(next.ids))], Int32Array.of(asked[c]!), expected.subarray(c));
    }
    expect(out).toEqual(expected);
  }
}

describe("a state that goes on from the one asked about before it scores as if it were the first", () => {
  const walks = fc.array(step, { minLength: 1, maxLength: 25 });
  const models = [1, 2, 3, 5].map((order) => estimateNgram([text], { order, vocabularySize: VOCABULARY }));

  test.each(models.map((model) => [model.order, model] as const))("an n-gram of order %i", (_, model: NgramModel) => {
    fc.assert(
      fc.property(walks, (steps) => follow(() => createNgramScorer(model), steps)),
      { numRuns: 300 },
    );
  });

  test("an n-gram with the text at hand", () => {
    const lengths = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(walks, ids, lengths, fc.constantFrom(...models), (steps, learnt, [shortest, more], model) => {
        follow(() => {
          const scorer = createOnlineScorer(model, { shortest, longest: shortest + more, window: 16 });
          scorer.learn(learnt);
          return scorer;
        }, steps);
      }),
      { numRuns: 600 },
    );
  });
});
