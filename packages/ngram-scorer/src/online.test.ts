import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createNgramScorer,
  createOnlineScorer,
  estimateNgram,
  followText,
  logProb,
  ONLINE_DEFAULTS,
  type OnlineOptions,
} from "./index.ts";

const VOCABULARY = 6;
const ids = fc.array(fc.integer({ min: 0, max: VOCABULARY - 1 }), { maxLength: 40 });
const model = estimateNgram([[0, 1, 2, 3, 1, 2, 4, 1, 2, 3, 0, 0, 1]], { order: 3, vocabularySize: VOCABULARY });
const all = Int32Array.from({ length: VOCABULARY }, (_, id) => id);

const options = fc.record({
  shortest: fc.integer({ min: 1, max: 2 }),
  longest: fc.integer({ min: 2, max: 5 }),
  window: fc.integer({ min: 1, max: 64 }),
  discount: fc.constantFrom<number | number[]>(0, 0.3, 0.7, 1, [0.2, 0.9], [1, 0.4, 0]),
  strength: fc.constantFrom(0.1, 1, 8),
});

/** The rule by its definition: counts by walking over the text. */
function definition(
  text: readonly number[],
  o: Required<OnlineOptions>,
  context: readonly number[],
  id: number,
): number {
  let p = Math.exp(logProb(model, context, id));
  for (let m = o.shortest; m <= Math.min(o.longest, context.length); m++) {
    const key = context.slice(-m).join();
    const after = text.filter((_, i) => i >= m && text.slice(i - m, i).join() === key);
    if (after.length === 0) break;
    const own = after.filter((next) => next === id).length;
    const kinds = new Set(after).size;
    const { discount: d, strength } = o;
    const discount = typeof d === "number" ? d : d[Math.min(m, d.length) - 1]!;
    p = (Math.max(own - discount, 0) + (strength + discount * kinds) * p) / (after.length + strength);
  }
  return p;
}

function scores(scorer: ReturnType<typeof createOnlineScorer>, context: readonly number[]): Float64Array {
  const out = new Float64Array(VOCABULARY);
  scorer.score([scorer.begin(Int32Array.from(context))], all, out);
  return out;
}

describe("createOnlineScorer", () => {
  test("names what followed the contexts most often, the longest first, of equals the latest", () => {
    const scorer = createOnlineScorer(model, { longest: 3 });
    const likely = (...context: number[]) => {
      const [own, ...recent] = scorer.likely(scorer.begin(Int32Array.from(context)));
      expect(own).toBe(createNgramScorer(model).likely(context)[0]);
      return recent;
    };
    expect(likely(1, 2)).toEqual([]);
    scorer.learn([1, 2, 3, 5, 2, 4, 0, 2, 4, 1, 2, 5]);
    expect(likely(1, 2)).toEqual([5, 4]);
    expect(likely(0, 2)).toEqual([4]);
    expect(likely(3)).toEqual([5]);
    scorer.forget();
    expect(likely(1, 2)).toEqual([]);
  });

  test("equals the definition over what its window holds, and sums to 1", () => {
    fc.assert(
      fc.property(ids, ids, options, (text, context, o) => {
        const scorer = createOnlineScorer(model, o);
        scorer.learn(text);
        // full windows are dropped one at a time, when the next id comes
        const dropped = text.length <= 2 * o.window ? 0 : Math.ceil(text.length / o.window - 2) * o.window;
        let sum = 0;
        for (const [id, logP] of scores(scorer, context).entries()) {
          expect(logP).toBeCloseTo(Math.log(definition(text.slice(dropped), o, context, id)), 9);
          sum += Math.exp(logP);
        }
        expect(Math.abs(sum - 1)).toBeLessThan(1e-6);
      }),
      { numRuns: 1000 },
    );
  });

  test("a long text, whose table grows, is counted as by the definition; and a short one after it", () => {
    const scorer = createOnlineScorer(model);
    let seed = 1;
    const text = Array.from({ length: 1500 }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * VOCABULARY);
    });
    for (const known of [text, text.slice(7, 60)]) {
      scorer.forget();
      scorer.learn(known);
      for (const at of [5, 30, 50]) {
        const context = known.slice(at - 4, at);
        for (const [id, logP] of scores(scorer, context).entries())
          expect(logP).toBeCloseTo(Math.log(definition(known, ONLINE_DEFAULTS, context, id)), 9);
      }
    }
  });

  test("learning in pieces is learning at once; forgetting gives the model back, and begins a new text", () => {
    fc.assert(
      fc.property(ids, ids, ids, options, (one, two, context, o) => {
        const [pieces, whole] = [createOnlineScorer(model, o), createOnlineScorer(model, o)];
        pieces.learn(one);
        pieces.learn(two);
        whole.learn([...one, ...two]);
        expect(scores(pieces, context)).toEqual(scores(whole, context));
        pieces.forget();
        const out = new Float64Array(VOCABULARY);
        createNgramScorer(model).score([context.slice(-2)], all, out);
        expect(scores(pieces, context)).toEqual(out);
        pieces.learn(two);
        const fresh = createOnlineScorer(model, o);
        fresh.learn(two);
        expect(scores(pieces, context)).toEqual(scores(fresh, context));
      }),
      { numRuns: 300 },
    );
  });

  test("a text that repeats is soon expected to; many states and candidates a call", () => {
    const scorer = createOnlineScorer(model);
    scorer.learn([5, 4, 3, 2, 5, 4, 3, 2, 5, 4, 3]);
    const state = [5, 4].reduce(scorer.advance, scorer.begin(Int32Array.of(2)));
    expect(state).toEqual(scorer.begin(Int32Array.of(2, 5, 4)));
    const out = new Float64Array(4);
    scorer.score([state, scorer.begin(Int32Array.of(1))], Int32Array.of(3, 2), out);
    expect(Math.exp(out[0]!)).toBeGreaterThan(0.8);
    expect(Math.exp(out[1]!)).toBeLessThan(0.1);
    expect(out[2]).toBeCloseTo(logProb(model, [1], 3), 12);
    expect(out[3]).toBeCloseTo(logProb(model, [1], 2), 12);
  });

  test("followText learns what a text gains, and anew where it is another", () => {
    const cut = fc.array(fc.nat(40), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(fc.record({ text: ids, cut }), { minLength: 1, maxLength: 3 }), options, (texts, o) => {
        const follower = followText(createOnlineScorer(model, o));
        for (const { text, cut } of texts)
          for (const end of [...cut.filter((at) => at < text.length).sort((a, b) => a - b), text.length]) {
            const context = Int32Array.from(text.slice(0, end));
            const out = new Float64Array(VOCABULARY);
            follower.score([follower.begin(context)], all, out);
            const fresh = createOnlineScorer(model, o);
            fresh.learn(context);
            expect(out).toEqual(scores(fresh, [...context]));
          }
      }),
      { numRuns: 300 },
    );
  });

  test("a state that was just scored is scored anew after learning and forgetting", () => {
    const scorer = createOnlineScorer(model);
    const state = scorer.begin(Int32Array.of(5, 4));
    const score = () => {
      const out = new Float64Array(1);
      scorer.score([state], Int32Array.of(3), out);
      return out[0]!;
    };
    const before = score();
    scorer.learn([5, 4, 3, 5, 4]);
    expect(score()).toBeGreaterThan(before);
    scorer.forget();
    expect(score()).toBe(before);
  });

  test("memory stays what it was", () => {
    const scorer = createOnlineScorer(model, { window: 100 });
    const before = scorer.bytes;
    scorer.learn(Array.from({ length: 20_000 }, (_, i) => (i * i + (i >> 3)) % VOCABULARY));
    expect(scorer.bytes).toBe(before);
    expect(Number.isFinite(scores(scorer, [1, 2, 3])[0])).toBe(true);
    expect(createOnlineScorer(model).bytes).toBeLessThan(2 * 2 ** 20);
  });

  test.each([
    [{ shortest: 0 }],
    [{ shortest: 5 }],
    [{ longest: 17 }],
    [{ window: 0 }],
    [{ window: Number.NaN }],
    [{ discount: 1.1 }],
    [{ discount: [0.5, -1] }],
    [{ discount: [] }],
    [{ discount: "none" as never }],
    [{ strength: 0 }],
    [{ strength: Number.POSITIVE_INFINITY }],
  ])("%j is refused", (bad) => {
    expect(() => createOnlineScorer(model, bad)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });

  test("an id outside the vocabulary is refused, and nothing of that call is learnt", () => {
    const scorer = createOnlineScorer(model);
    const before = scores(scorer, [0]);
    expect(() => scorer.learn([0, 1, VOCABULARY])).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(scores(scorer, [0])).toEqual(before);
  });
});
