import { isDiffuSpecError } from "@diffuspec/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32 } from "./crc32.ts";
import { decodeNgram, encodeNgram, estimateNgram, logProb, type NgramModel, readArpa, writeArpa } from "./index.ts";

const VOCABULARY = 12;
const text = Array.from({ length: 400 }, (_, i) => (i * i + 3 * (i % 5)) % VOCABULARY);
const model = estimateNgram([text], { order: 3, vocabularySize: VOCABULARY });

function furthest(a: NgramModel, b: NgramModel): number {
  let most = 0;
  for (let x = 0; x < VOCABULARY; x++)
    for (let y = 0; y < VOCABULARY; y++)
      for (let z = 0; z < VOCABULARY; z++)
        most = Math.max(most, Math.abs(logProb(a, [x, y], z) - logProb(b, [x, y], z)));
  return most;
}

describe("the compact file", () => {
  test("comes back bit for bit, from any alignment", () => {
    const bytes = encodeNgram(model);
    expect(decodeNgram(bytes)).toEqual({
      ...model,
      levels: model.levels.map((level, i) => (i === 0 ? { ...level, tokens: expect.anything() } : level)),
    });
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(furthest(decodeNgram(shifted.subarray(3)), model)).toBe(0);
    expect(furthest(decodeNgram(bytes.buffer), model)).toBe(0);
  });

  test("quantised, a codebook with a value for each entry loses nothing, a crowded one little", () => {
    const small = estimateNgram([[0, 1, 2, 0, 1, 3]], { order: 3, vocabularySize: VOCABULARY });
    expect(furthest(decodeNgram(encodeNgram(small, { quantise: true })), small)).toBe(0);
    const large = estimateNgram([Array.from({ length: 50_000 }, (_, i) => (i * i * 7 + (i >> 3)) % 997)], {
      order: 2,
      vocabularySize: 997,
    });
    const bytes = encodeNgram(large, { quantise: true });
    expect(bytes.length).toBeLessThan(encodeNgram(large).length / 1.5);
    const back = decodeNgram(bytes);
    let sum = 0;
    for (let i = 0; i < 997; i++)
      sum += Math.abs(logProb(back, [i], (i * 5) % 997) - logProb(large, [i], (i * 5) % 997));
    expect(sum / 997).toBeLessThan(0.05);
  });

  test("a vocabulary beyond 65,536 uses wide ids", () => {
    const wide = estimateNgram([[70_000, 5, 70_001]], { order: 2, vocabularySize: 70_002 });
    expect(logProb(decodeNgram(encodeNgram(wide)), [5], 70_001)).toBe(logProb(wide, [5], 70_001));
  });

  test("every mutation is a model or ERR_PARSE with an offset, also behind a right checksum", () => {
    const bytes = encodeNgram(model);
    const quantised = encodeNgram(model, { quantise: true });
    let refused = 0;
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(fc.record({ at: fc.nat(bytes.length + 8), value: fc.constantFrom(0, 1, 127, 128, 255) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.option(fc.nat(bytes.length)),
        fc.boolean(),
        (useQuantised, edits, cut, repair) => {
          let file = (useQuantised ? quantised : bytes).slice();
          for (const { at, value } of edits) if (at < file.length) file[at] = value;
          if (cut !== null) file = file.slice(0, cut);
          if (repair && file.length >= 64) {
            const view = new DataView(file.buffer);
            view.setUint32(20, file.length, true);
            view.setUint32(24, crc32(file.subarray(28)), true);
          }
          try {
            const found = decodeNgram(file);
            logProb(found, [1, 2], 3 % found.vocabularySize);
          } catch (error) {
            if (!isDiffuSpecError(error)) throw error;
            if (error.code === "ERR_PARSE") expect(error.details.offset).toBeGreaterThanOrEqual(0);
            refused++;
          }
        },
      ),
      { numRuns: 4000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  test("a claim of 2^32 n-grams in 64 bytes allocates nothing", () => {
    const file = new Uint8Array(64);
    const view = new DataView(file.buffer);
    for (const [i, value] of [0x474e5344, 1, 3, 2 ** 24, 0, 64, 0, 2 ** 24, 2 ** 32 - 1].entries())
      view.setUint32(4 * i, value, true);
    view.setUint32(24, crc32(file.subarray(28)), true);
    expect(() => decodeNgram(file)).toThrow(expect.objectContaining({ code: "ERR_PARSE" }));
  });
});

describe("ARPA", () => {
  test("comes back within the digits written", () => {
    expect(furthest(readArpa(writeArpa(model), { vocabularySize: VOCABULARY }), model)).toBeLessThan(1e-5);
  });

  test("words of one's own", () => {
    const piece = (id: number) => `w${id}`;
    const back = readArpa(writeArpa(model, { piece }), {
      vocabularySize: VOCABULARY,
      id: (word) => Number(word.slice(1)),
    });
    expect(furthest(back, model)).toBeLessThan(1e-5);
  });

  test("reads what others write: no back-off where there is none, log10, unsorted", () => {
    const arpa =
      "\\data\\\nngram 1=3\nngram 2=2\n\n\\1-grams:\n-0.5 2 -0.25\n-1 0 -0.5\n-99 1\n\n\\2-grams:\n-0.1\t2 0\n-0.2\t0 2\n\n\\end\\\n";
    const read = readArpa(new TextEncoder().encode(arpa), { vocabularySize: 3 });
    expect(logProb(read, [2], 0)).toBeCloseTo(-0.1 * Math.LN10, 6);
    expect(logProb(read, [2], 2)).toBeCloseTo((-0.25 - 0.5) * Math.LN10, 6);
    expect(logProb(read, [1], 0)).toBeCloseTo(-Math.LN10, 6);
  });

  const good = writeArpa(estimateNgram([[0, 1, 2, 0, 1]], { order: 2, vocabularySize: 3 }));
  test.each([
    ["another beginning", good.replace("\\data\\", "data")],
    ["a wrong count", good.replace("ngram 2=3", "ngram 2=4")],
    ["a missing end", good.replace("\\end\\", "")],
    ["a foreign word", good.replace("\t0 1\n", "\t0 x\n")],
    ["an id beyond the vocabulary", good.replace("\t0 1\n", "\t0 3\n")],
    ["a number that is none", good.replace(/\n-[\d.]+\t0 1\n/, "\nNaN\t0 1\n")],
    ["a positive log-probability", good.replace(/\n-[\d.]+\t0 1\n/, "\n0.5\t0 1\n")],
    ["an n-gram twice", good.replace("\t2 0\n", "\t0 1\n")],
    ["a huge announcement", good.replace("ngram 2=3", "ngram 2=99999999999")],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0)],
    ["a KenLM binary", new TextEncoder().encode("mmap lm http://kheafield.com/code format version 5\n")],
    ["our compact file", encodeNgram(model)],
  ])("%s is ERR_PARSE with the line", (_, bad) => {
    expect(() => readArpa(bad, { vocabularySize: 3 })).toThrow(
      expect.objectContaining({ code: "ERR_PARSE", details: expect.objectContaining({ line: expect.any(Number) }) }),
    );
  });

  test("every mutated text is a model or ERR_PARSE", () => {
    fc.assert(
      fc.property(
        fc.nat(good.length),
        fc.nat(4),
        fc.constantFrom("", "\n", "\t", "9", "-", "\\", "nan", "\\end\\", " 1"),
        (at, drop, insert) => {
          try {
            readArpa(good.slice(0, at) + insert + good.slice(at + drop), { vocabularySize: 3 });
          } catch (error) {
            if (!isDiffuSpecError(error) || error.code !== "ERR_PARSE") throw error;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
