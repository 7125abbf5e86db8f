import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Boundaries, discountsOf, estimateNgram, LOG_ZERO, logProb, type NgramModel } from "./index.ts";
import { findNgram } from "./model.ts";

const usable = fc
  .array(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 40 }), { minLength: 1, maxLength: 5 })
  .filter((sequences) => sequences.some((ids) => ids.length > 0));

const VOCABULARY = 9;
const BEGIN = 7;
const END = 8;
const boundaries = fc.constantFrom<Boundaries>({}, { begin: BEGIN }, { end: END }, { begin: BEGIN, end: END });
const prunes = fc.constantFrom([0], [0, 1], [0, 0, 1], [0, 1, 2, 3]);

/** Kneser-Ney by its definition, over maps of strings, one probability at a time: nothing shared with the package. */
function definition(sequences: number[][], order: number, prune: readonly number[], { begin, end }: Boundaries) {
  const occurrences = new Map<string, number>();
  const before = new Map<string, Set<number>>();
  for (const sequence of sequences) {
    const ids = [...(begin === undefined ? [] : [begin]), ...sequence, ...(end === undefined ? [] : [end])];
    for (let from = 0; from < ids.length; from++)
      for (let n = 1; n <= order && from + n <= ids.length; n++) {
        const gram = ids.slice(from, from + n).join(" ");
        occurrences.set(gram, (occurrences.get(gram) ?? 0) + 1);
        if (from > 0) before.set(gram, (before.get(gram) ?? new Set()).add(ids[from - 1]!));
      }
  }
  const ofOrder = (n: number) => [...occurrences.keys()].filter((gram) => gram.split(" ").length === n);
  const count = (gram: string): number => {
    if (gram === String(begin)) return 0;
    const raw = occurrences.get(gram) ?? 0;
    if (gram.split(" ").length === order || gram.startsWith(`${begin} `)) return raw;
    return raw === 0 ? 0 : Math.max(1, before.get(gram)?.size ?? 0);
  };
  const discounts = [0, ...Array.from({ length: order }, (_, i) => i + 1)].map((n) =>
    n === 0 ? ([0, 0, 0] as const) : discountsOf(Uint32Array.from(ofOrder(n), count)),
  );
  const size = VOCABULARY - (begin === undefined ? 0 : 1);
  return function p(context: readonly number[], id: number): number {
    const n = context.length + 1;
    const lower = () => (n === 1 ? 1 / size : p(context.slice(1), id));
    const successors = ofOrder(n).filter((gram) => n === 1 || gram.startsWith(`${context.join(" ")} `));
    const total = successors.reduce((sum, gram) => sum + count(gram), 0);
    if (total === 0) return lower();
    const discounted = (gram: string) => {
      const pruned = occurrences.get(gram)! <= prune[Math.min(n, prune.length) - 1]!;
      return pruned ? count(gram) : count(gram) && discounts[n]![Math.min(count(gram), 3) - 1]!;
    };
    const freed = successors.reduce((sum, gram) => sum + discounted(gram), 0) / total;
    const gram = [...context, id].join(" ");
    const own = occurrences.has(gram) ? (count(gram) - discounted(gram)) / total : 0;
    return own + freed * lower();
  };
}

function totalOver(model: NgramModel, context: readonly number[]): number {
  let sum = 0;
  for (let id = 0; id < model.vocabularySize; id++) sum += Math.exp(logProb(model, context, id));
  return sum;
}

describe("estimateNgram against the definition", () => {
  test("equal probabilities for any corpus, order, pruning and boundaries", () => {
    fc.assert(
      fc.property(
        usable,
        fc.integer({ min: 1, max: 5 }),
        prunes,
        boundaries,
        fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 4 }),
        (sequences, order, prune, marks, context) => {
          const model = estimateNgram(sequences, { order, vocabularySize: VOCABULARY, prune, boundaries: marks });
          const p = definition(sequences, order, prune, marks);
          const known = context.slice(Math.max(0, context.length - order + 1));
          for (let id = 0; id < VOCABULARY; id++)
            if (id === marks.begin) expect(logProb(model, context, id)).toBeLessThan(-200);
            else expect(logProb(model, context, id)).toBeCloseTo(Math.log(p(known, id)), 5);
        },
      ),
      { numRuns: 400 },
    );
  });

  test("every value is finite, a longer match is never below its back-off, and the sum is 1 within 1e-6", () => {
    fc.assert(
      fc.property(
        usable,
        fc.integer({ min: 1, max: 6 }),
        prunes,
        boundaries,
        fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 5 }),
        (sequences, order, prune, marks, context) => {
          const model = estimateNgram(sequences, { order, vocabularySize: VOCABULARY, prune, boundaries: marks });
          for (const { logProb: values, backoff } of model.levels)
            expect(values.every((x) => x <= 0 && x >= -228) && backoff.every((x) => x <= 1e-6 && x > -50)).toBe(true);
          expect(Math.abs(totalOver(model, context) - 1)).toBeLessThan(1e-6);
          const known = context.slice(Math.max(0, context.length - order + 1));
          if (known.length === 0) return;
          const node = findNgram(model, known, 0, known.length);
          const penalty = node === -1 ? 0 : model.levels[known.length - 1]!.backoff[node]!;
          for (let id = 0; id < VOCABULARY; id++)
            expect(logProb(model, known, id)).toBeGreaterThan(penalty + logProb(model, known.slice(1), id) - 1e-4);
        },
      ),
      { numRuns: 400 },
    );
  });
});

test("1,024 ids at order 5: the sum is 1 within 1e-6 in 100 contexts", () => {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const ids = [0, 1];
  while (ids.length < 60_000) ids.push((ids.at(-1)! * 7 + ids.at(-2)! * 3 + Math.floor(random() ** 6 * 1024)) % 1024);
  const model = estimateNgram([ids], { order: 5, vocabularySize: 1024, prune: [0, 0, 0, 1] });
  for (let i = 0; i < 100; i++)
    expect(Math.abs(totalOver(model, ids.slice(i * 590, i * 590 + 4)) - 1)).toBeLessThan(1e-6);
});

describe("boundaries", () => {
  test("by hand: <s> a b </s>, <s> a </s> at order 2", () => {
    // ids a 0, b 1, </s> 2, <s> 3. Before a: <s>; before b: a; before </s>: b, a. Discounts 0.5 1 1.5: no count of 3.
    const model = estimateNgram([[0, 1], [0]], { order: 2, vocabularySize: 4, boundaries: { begin: 3, end: 2 } });
    // unigrams 1 1 2, total 4, freed 0.5 + 0.5 + 1 over the three ids that can be predicted
    const uniform = 2 / 4 / 3;
    expect(Math.exp(logProb(model, [], 0))).toBeCloseTo(0.5 / 4 + uniform, 6);
    expect(Math.exp(logProb(model, [], 2))).toBeCloseTo(1 / 4 + uniform, 6);
    expect(logProb(model, [], 3)).toBeCloseTo(LOG_ZERO, 3);
    // <s> a twice: discount 1; a b and a </s> once each: discount 0.5
    expect(Math.exp(logProb(model, [3], 0))).toBeCloseTo((2 - 1) / 2 + (1 / 2) * (0.5 / 4 + uniform), 6);
    expect(Math.exp(logProb(model, [0], 2))).toBeCloseTo(0.5 / 2 + (1 / 2) * (1 / 4 + uniform), 6);
    expect(Math.exp(logProb(model, [0], 0))).toBeCloseTo((1 / 2) * (0.5 / 4 + uniform), 6);
  });

  test("an order 3 example by hand", () => {
    // a b a b c: trigrams aba bab abc; bigrams ab (before: b) 1, ba (a) 1, bc (a) 1; unigrams a (b) 1, b (a) 1, c (b) 1
    const model = estimateNgram([[0, 1, 0, 1, 2]], { order: 3, vocabularySize: 4 });
    const single = 0.5 / 3 + (1.5 / 3) * (1 / 4);
    const afterB = (1 - 0.5) / 2 + (1 / 2) * single; // p(a | b): b is followed by a and c
    expect(Math.exp(logProb(model, [], 0))).toBeCloseTo(single, 6);
    expect(Math.exp(logProb(model, [1], 0))).toBeCloseTo(afterB, 6);
    expect(Math.exp(logProb(model, [0, 1], 0))).toBeCloseTo(0.5 / 2 + (1 / 2) * afterB, 6);
    expect(Math.exp(logProb(model, [0, 1], 3))).toBeCloseTo((1 / 2) * (1 / 2) * (1.5 / 3) * (1 / 4), 6);
  });

  test.each([
    [{ boundaries: { begin: 4 } }, /token id 4/],
    [{ boundaries: { begin: 2, end: 2 } }, /two ids/],
    [{ boundaries: { begin: 1 } }, /boundary id 1/],
    [{ boundaries: { end: 0 } }, /boundary id 0/],
    [{ fallback: [0.5, 1, 4] as const }, /fallback/],
    [{ fallback: [0, 1, 1] as const }, /fallback/],
  ])("%j is refused", (options, message) => {
    expect(() => estimateNgram([[0, 1]], { vocabularySize: 4, ...options })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", message: expect.stringMatching(message) }),
    );
  });

  test("a begin without anything after it is an empty corpus", () => {
    expect(() => estimateNgram([[]], { vocabularySize: 4, boundaries: { begin: 0 } })).toThrow(/empty/);
  });
});

describe("discountsOf", () => {
  const times = (...numbers: number[]) => Uint32Array.from(numbers.flatMap((n, i) => Array<number>(n).fill(i + 1)));

  test("nothing that counts 4 is no reason to fall back", () => {
    expect(discountsOf(times(8, 4, 2))).toEqual([0.5, 2 - (3 * 0.5 * 2) / 4, 3]);
  });

  test.each([[times(8, 4, 0, 1)], [times(8, 0, 2, 1)], [times(0, 4, 2, 1)], [times(1, 1, 9, 1)], [times(8, 3, 2, 3)]])(
    "%j falls back",
    (counts) => {
      expect(discountsOf(counts, [0.1, 0.2, 0.3])).toEqual([0.1, 0.2, 0.3]);
    },
  );
});
