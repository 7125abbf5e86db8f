import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { bytesPerToken, createWordIds, estimateNgram, estimateNgramStream, logProb } from "./index.ts";
import { estimateNgramSpilled } from "./node.ts";

const folder = mkdtempSync(join(tmpdir(), "spill-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function* arriving<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}

const VOCABULARY = 9;
const sequences = fc
  .array(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 150 }), { minLength: 1, maxLength: 8 })
  .filter((all) => all.some((ids) => ids.length > 0));
const options = fc
  .record({
    order: fc.integer({ min: 1, max: 6 }),
    prune: fc.constantFrom([0], [0, 1], [0, 0, 1, 2]),
    marks: fc.constantFrom({}, { begin: 7 }, { end: 8 }, { begin: 7, end: 8 }),
    lmplz: fc.boolean(),
  })
  .map(({ order, prune, marks, lmplz }) => ({
    order,
    prune,
    boundaries: marks,
    lmplz: lmplz && "begin" in marks && "end" in marks,
    vocabularySize: VOCABULARY,
  }));

/** A text long enough to be cut many times. */
function walk(length: number, vocabularySize: number): number[] {
  let state = 7;
  const ids = [0, 1];
  while (ids.length < length) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    ids.push(
      (ids.at(-1)! * 7 + ids.at(-2)! * 3 + Math.floor((state / 2 ** 32) ** 4 * vocabularySize)) % vocabularySize,
    );
  }
  return ids;
}

describe("streamed and spilled are in memory", () => {
  test("the same model to the bit, with room for 64 ids: any corpus, order, pruning, boundaries", async () => {
    await fc.assert(
      fc.asyncProperty(sequences, options, async (corpus, given) => {
        const whole = estimateNgram(corpus, given);
        expect(await estimateNgramStream(arriving(corpus), given)).toEqual(whole);
        const mostBytes = 64 * bytesPerToken(given.order);
        expect(await estimateNgramSpilled(arriving(corpus), { ...given, mostBytes, folder })).toEqual(whole);
      }),
      { numRuns: 150 },
    );
  });

  test("one long sequence, cut a hundred times, wide ids", async () => {
    const given = { order: 4, vocabularySize: 100_000, prune: [0, 0, 1] };
    const corpus = [walk(20_000, 70_000), walk(3_000, 50)];
    const spilled = await estimateNgramSpilled(corpus, { ...given, mostBytes: 200 * bytesPerToken(4), folder });
    expect(spilled).toEqual(estimateNgram(corpus, given));
  });

  test("nothing stays in the folder, after a failure neither; a corpus that fits goes nowhere near it", async () => {
    expect(readdirSync(folder)).toEqual([]);
    const failing = estimateNgramSpilled([walk(5_000, 50), [50]], { vocabularySize: 50, mostBytes: 20_000, folder });
    await expect(failing).rejects.toMatchObject({ code: "ERR_OPTION" });
    expect(readdirSync(folder)).toEqual([]);
    const absent = join(folder, "is-not-there");
    await estimateNgramSpilled([[1, 2]], { vocabularySize: 3, folder: absent });
    const large = estimateNgramSpilled([walk(5_000, 50)], { vocabularySize: 50, mostBytes: 20_000, folder: absent });
    await expect(large).rejects.toThrow(/ENOENT/);
  });

  test("n-grams that are too many for memory are refused, at the one more", async () => {
    const corpus = [walk(5_000, 50)];
    const given = { order: 3, vocabularySize: 50, mostBytes: 20_000, folder };
    const count = estimateNgram(corpus, { order: 3, vocabularySize: 50 }).levels.reduce(
      (sum, { logProb }) => sum + logProb.length,
      0,
    );
    const fits = await estimateNgramSpilled(corpus, { ...given, mostNgramBytes: 56 * count });
    expect(fits.order).toBe(3);
    const refused = estimateNgramSpilled(corpus, { ...given, mostNgramBytes: 56 * count - 1 });
    await expect(refused).rejects.toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringMatching(/mostNgramBytes/),
    });
    await expect(estimateNgramSpilled(corpus, { ...given, mostNgramBytes: 0 })).rejects.toThrow(/mostNgramBytes is 0/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("too little room, an empty corpus", async () => {
    const few = estimateNgramSpilled([[0, 1]], { vocabularySize: 3, mostBytes: 1000 });
    await expect(few).rejects.toThrow(/mostBytes is 1000: order 3 takes 12032 at least/);
    const empty = estimateNgramSpilled(arriving([[], []]), { vocabularySize: 3, boundaries: { begin: 2 } });
    await expect(empty).rejects.toThrow(/the corpus is empty/);
  });
});

describe("the cap in memory", () => {
  const mostBytes = 100 * bytesPerToken(3);
  const given = { order: 3, vocabularySize: 5, boundaries: { begin: 3, end: 4 }, mostBytes };

  test("as many ids as it allows, boundaries counted, and not one more", async () => {
    const fits = [Array<number>(98).fill(1)];
    expect(estimateNgram(fits, given).order).toBe(3);
    const refused = expect.objectContaining({
      code: "ERR_OPTION",
      message: expect.stringMatching(/mostBytes is 18800.*estimateNgramSpilled/),
      details: { mostBytes, bytesPerToken: 188 },
    });
    expect(() => estimateNgram([...fits, []], given)).toThrow(refused);
    await expect(estimateNgramStream(arriving([...fits, []]), given)).rejects.toEqual(refused);
    expect(() => estimateNgram(fits, { ...given, mostBytes: 0 })).toThrow(/mostBytes is 0/);
  });
});

describe("words", () => {
  const sentences = ["the cat sat", " the\tcat  ran\n", "", "a dog"];
  const corpus = [[3, 4, 5], [3, 4, 6], [], [7, 8]];
  const boundaries = { begin: 1, end: 2 };

  test("are their ids, and the vocabulary is what was met", async () => {
    const given = { order: 3, vocabularySize: 9, boundaries };
    const model = estimateNgram(corpus, given);
    const words = createWordIds();
    expect(estimateNgram(sentences, { words, order: 3 })).toEqual(model);
    expect([words.size, words.id("<unk>"), words.id("</s>"), words.id("dog"), words.id("cow")]).toEqual([
      9,
      0,
      2,
      8,
      undefined,
    ]);
    expect([0, 1, 2, 3, 8].map(words.word)).toEqual(["<unk>", "<s>", "</s>", "the", "dog"]);
    expect(words.ids("the cow ran")).toEqual([3, 0, 6]);
    expect(logProb(model, words.ids("the cat"), words.id("ran")!)).toBeGreaterThan(logProb(model, [], 6));
    const split = sentences.map((sentence) => sentence.split(/\s+/).filter(Boolean));
    expect(estimateNgram(split, { words: createWordIds(), order: 3 })).toEqual(model);
    expect(await estimateNgramStream(arriving(sentences), { words: createWordIds(), order: 3 })).toEqual(model);
  });

  test("spilled too, while the vocabulary grows", async () => {
    const lines = Array.from({ length: 400 }, (_, i) => `w${i % 7} w${i} w${(i * i) % 90} w${i >> 3}`);
    const whole = estimateNgram(lines, { words: createWordIds(), order: 3, lmplz: true });
    const words = createWordIds();
    const spilled = estimateNgramSpilled(arriving(lines), { words, order: 3, lmplz: true, mostBytes: 20_000, folder });
    expect(await spilled).toEqual(whole);
    expect(words.size).toBe(whole.vocabularySize);
  });

  test("of another vocabulary keep their ids", () => {
    const one = createWordIds();
    one.learn("b a c");
    const list = Array.from({ length: one.size - 3 }, (_, i) => one.word(i + 3));
    expect(createWordIds(list).ids("a b c")).toEqual(one.ids("a b c"));
  });

  test.each([
    [["a </s>"], /holds <\/s>/],
    [["<unk>"], /holds <unk>/],
    [[["a b"]], /white space/],
    [[[""]], /not empty/],
    [[[1, 2]], /words are strings/],
    [[3], /neither text nor an array/],
  ])("%j is refused", (bad, message) => {
    expect(() => estimateNgram(bad as string[], { words: createWordIds() })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", message: expect.stringMatching(message) }),
    );
  });

  test("a text where ids are expected is refused", () => {
    for (const bad of ["12", ["1", "2"]])
      expect(() => estimateNgram([bad] as never, { vocabularySize: 3 })).toThrow(/pass `words`/);
  });
});
