import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createHashedScorer,
  createKenlmScorer,
  createNgramScorer,
  createWordIds,
  estimateNgram,
  logProb,
  type NgramModel,
  readArpa,
  readKenlm,
} from "./index.ts";

const VOCABULARY = 7;
const id = fc.integer({ min: 0, max: VOCABULARY - 1 });
const corpus = fc
  .array(fc.array(id, { maxLength: 30 }), { minLength: 1, maxLength: 5 })
  .filter((sequences) => sequences.some((ids) => ids.length > 0));
const estimated = fc
  .record({ corpus, order: fc.integer({ min: 1, max: 6 }), prune: fc.constantFrom([0], [0, 1], [0, 0, 1]) })
  .map(({ corpus, ...options }) => estimateNgram(corpus, { ...options, vocabularySize: VOCABULARY }));

/** Any ARPA file: n-grams whose own ends are not listed, contexts without followers, back-offs of nothing. */
const written = fc
  .array(fc.uniqueArray(fc.array(id, { minLength: 3, maxLength: 3 }), { selector: String, maxLength: 12 }), {
    minLength: 1,
    maxLength: 1,
  })
  .chain(([trigrams]) =>
    fc.record({
      trigrams: fc.constant(trigrams!),
      more: fc.uniqueArray(fc.array(id, { minLength: 2, maxLength: 2 }), { selector: String, maxLength: 8 }),
      values: fc.array(fc.constantFrom(0, -0.25, -1.5, -99), { minLength: 1, maxLength: 9 }),
    }),
  )
  .map(({ trigrams, more, values }) => {
    let at = 0;
    const value = () => values[at++ % values.length]!;
    const pairs = new Set([...more, ...trigrams.map((gram) => gram.slice(0, 2))].map((gram) => gram.join(" ")));
    const sections = [
      Array.from({ length: VOCABULARY }, (_, one) => `${value()}\t${one}\t${value()}`),
      [...pairs].map((pair) => `${value()}\t${pair}\t${value()}`),
      trigrams.map((gram) => `${value()}\t${gram.join(" ")}`),
    ];
    const counts = sections.map((lines, i) => `ngram ${i + 1}=${lines.length}`);
    const body = sections.map((lines, i) => [`\\${i + 1}-grams:`, ...lines].join("\n"));
    return readArpa(["\\data\\", ...counts, ...body, "\\end\\"].join("\n"), { vocabularySize: VOCABULARY });
  });

const text = fc.array(id, { maxLength: 25 }).map((ids) => Int32Array.from(ids));

describe("createHashedScorer", () => {
  test("equals the definition bit for bit, whatever the model: one id, many candidates, whole texts", () => {
    fc.assert(
      fc.property(fc.oneof(estimated, written), text, text, (model, context, ids) => {
        const scorer = createHashedScorer(model);
        const begin = scorer.begin(context);
        const all = Int32Array.from({ length: VOCABULARY }, (_, one) => one);
        const out = new Float64Array(VOCABULARY);
        scorer.score([begin], all, out);
        for (const one of all) {
          expect(out[one]).toBe(logProb(model, context, one));
          expect(scorer.score(begin, one)).toBe(out[one]);
        }
        const texts = new Float64Array(ids.length);
        const after = scorer.scoreText(begin, ids, texts);
        expect(after).toBe(scorer.begin(Int32Array.of(...context, ...ids)));
        expect(after).toBe(ids.reduce(scorer.advance, begin));
        for (const [i, one] of ids.entries())
          expect(texts[i]).toBe(logProb(model, [...context, ...ids.subarray(0, i)], one));
      }),
      { numRuns: 1000 },
    );
  });

  test("many texts are as one after the other, in their order, whatever their number and lengths", () => {
    fc.assert(
      fc.property(estimated, text, fc.array(text, { maxLength: 100 }), (model, context, texts) => {
        const scorer = createHashedScorer(model);
        const begin = scorer.begin(context);
        const total = texts.reduce((sum, { length }) => sum + length, 0);
        const out = new Float64Array(total + 1).fill(7);
        scorer.scoreTexts(begin, texts, out);
        let at = 0;
        for (const ids of texts) {
          const one = new Float64Array(ids.length);
          scorer.scoreText(begin, ids, one);
          expect(out.subarray(at, at + ids.length)).toEqual(one);
          at += ids.length;
        }
        expect(out[total]).toBe(7);
      }),
      { numRuns: 300 },
    );
  });

  test("a context id that the vocabulary lacks is a context never seen", () => {
    const model = estimateNgram([[0, 1, 2, 0, 1]], { vocabularySize: 3 });
    const scorer = createHashedScorer(model);
    for (const strange of [-1, 3, 2 ** 31 - 1])
      expect(scorer.score(scorer.begin(Int32Array.of(0, strange)), 1)).toBe(logProb(model, [], 1));
  });

  test("what is no state, no id or too little room is refused", () => {
    const scorer = createHashedScorer(estimateNgram([[0, 1, 2, 0, 1]], { vocabularySize: 3 }));
    const refused = expect.objectContaining({ code: "ERR_OPTION" });
    const room = new Float64Array(4);
    for (const state of [-1, 0.5, 2 ** 30, Number.NaN]) {
      expect(() => scorer.score(state, 0)).toThrow(refused);
      expect(() => scorer.score([0, state], Int32Array.of(0), room)).toThrow(refused);
      expect(() => scorer.scoreText(state, Int32Array.of(0), room)).toThrow(refused);
      expect(() => scorer.scoreTexts(state, [Int32Array.of(0)], room)).toThrow(refused);
    }
    for (const strange of [-1, 3]) {
      expect(() => scorer.score(0, strange)).toThrow(refused);
      expect(() => scorer.score([0], Int32Array.of(strange), room)).toThrow(refused);
      expect(() => scorer.scoreText(0, Int32Array.of(1, strange), room)).toThrow(refused);
      expect(() => scorer.scoreTexts(0, [Int32Array.of(1), Int32Array.of(1, strange)], room)).toThrow(refused);
    }
    expect(() => scorer.score([0, 0], Int32Array.of(0, 1, 2), room)).toThrow(refused);
    expect(() => scorer.scoreText(0, Int32Array.of(0, 1, 2, 0, 1), room)).toThrow(refused);
    expect(() => scorer.scoreTexts(0, [Int32Array.of(0, 1), Int32Array.of(2, 0, 1)], room)).toThrow(refused);
  });
});

test("one id and many: the same numbers from every scorer", () => {
  const model = estimateNgram([[0, 1, 2, 0, 1, 1, 2]], { vocabularySize: 3 });
  const plain = createNgramScorer(model);
  expect(plain.score([0, 1], 2)).toBe(logProb(model, [0, 1], 2));
  expect(() => plain.score([0], 3)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  const kenlm = createKenlmScorer(readKenlm(golden("code-4-prune001.bin.gz")));
  const out = new Float64Array(1);
  kenlm.score([[5, 9]], Int32Array.of(7), out);
  expect(kenlm.score([5, 9], 7)).toBe(out[0]);
  expect(() => kenlm.score([5], -1)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
});

describe("probabilities over the vocabulary sum to 1 within 1e-4 in 100 contexts of held-out text", () => {
  const sentences = golden("words.txt.gz").toString().split("\n").slice(0, -1);
  const words = createWordIds();
  const kept = sentences.filter((_, i) => i % 4 !== 0);
  const model = estimateNgram(kept, { words, order: 4, prune: [0, 0, 1] });
  const contexts = sentences.filter((_, i) => i % 4 === 0).flatMap((sentence) => contextsOf(words.ids(sentence)));
  const some = contexts.filter((_, i) => i % Math.floor(contexts.length / 100) === 0).slice(0, 100);
  const all = Int32Array.from({ length: words.size }, (_, one) => one);

  const sums = (model: NgramModel, make: typeof createNgramScorer | typeof createHashedScorer) => {
    const scorer = make(model) as ReturnType<typeof createNgramScorer>;
    const out = new Float64Array(words.size);
    return some.map((context) => {
      scorer.score([scorer.begin(Int32Array.from(context))], all, out);
      return out.reduce((sum, value) => sum + Math.exp(value), 0);
    });
  };

  test.each([
    ["createNgramScorer", createNgramScorer],
    ["createHashedScorer", createHashedScorer],
  ])("%s", (_, make) => {
    const found = sums(model, make);
    expect(found.length).toBe(100);
    for (const sum of found) expect(Math.abs(sum - 1)).toBeLessThan(1e-4);
  });
});

function contextsOf(ids: readonly number[]): number[][] {
  return ids.map((_, i) => [1, ...ids.slice(0, i)].slice(-3));
}

function golden(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(`../golden/${name}`, import.meta.url)));
}
