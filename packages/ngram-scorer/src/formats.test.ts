import { isDiffuSpecError } from "@diffuspec/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32 } from "./crc32.ts";
import {
  arpaLines,
  createNgramScorer,
  decodeNgram,
  encodeNgram,
  estimateNgram,
  logProb,
  type NgramModel,
  readArpa,
  writeArpa,
} from "./index.ts";

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
    expect(furthest(decodeNgram(Buffer.from(shifted.buffer).subarray(3)), model)).toBe(0);
  });

  test("threads may share it: views of one shared buffer", () => {
    const bytes = encodeNgram(model);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    const read = decodeNgram(shared);
    expect(read.levels[1]!.logProb.buffer).toBe(shared.buffer);
    expect(furthest(read, model)).toBe(0);
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

  test("a probability of nothing does not spoil its neighbours' code", () => {
    const ids = Array.from({ length: 600 }, (_, id) => Array<number>(id + 1).fill(id)).flat(); // 600 distinct values
    const large = estimateNgram([ids], { order: 1, vocabularySize: 601, boundaries: { begin: 600 } });
    const back = decodeNgram(encodeNgram(large, { quantise: true }));
    expect(logProb(back, [], 600)).toBeLessThan(-227);
    for (let id = 10; id < 600; id++)
      expect(Math.abs(logProb(back, [], id) - logProb(large, [], id))).toBeLessThan(0.1);
  });

  test("a vocabulary beyond 65,536 uses wide ids", () => {
    const wide = estimateNgram([[70_000, 5, 70_001]], { order: 2, vocabularySize: 70_002 });
    expect(logProb(decodeNgram(encodeNgram(wide)), [5], 70_001)).toBe(logProb(wide, [5], 70_001));
  });

  test("every mutation is a model or ERR_PARSE with an offset, also behind a right size and checksum", () => {
    const files = [encodeNgram(model), encodeNgram(model, { quantise: true })];
    const word = fc.constantFrom(
      0,
      1,
      2,
      3,
      6,
      7,
      12,
      13,
      255,
      65_536,
      65_537,
      2 ** 24,
      2 ** 31,
      0x7fc00000,
      0xff800000,
      2 ** 32 - 1,
    );
    const header = fc.record({ at: fc.nat(15), value: word });
    const anywhere = fc.record({ at: fc.nat(files[0]!.length / 4), value: fc.oneof(word, fc.nat(300)) });
    let refused = 0;
    let read = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.array(fc.oneof(header, anywhere), { minLength: 1, maxLength: 3 }),
        fc.option(fc.nat(files[0]!.length), { freq: 4 }),
        fc.integer({ min: 0, max: 3 }),
        (original, edits, cut, repair) => {
          const file = cut === null ? original.slice() : original.slice(0, cut);
          const view = new DataView(file.buffer);
          for (const { at, value } of edits) if (4 * at + 4 <= file.length) view.setUint32(4 * at, value, true);
          if (repair > 0 && file.length >= 64) {
            view.setUint32(20, file.length, true);
            view.setUint32(24, crc32(file.subarray(28)), true);
          }
          try {
            const found = decodeNgram(file);
            const out = new Float64Array(found.vocabularySize);
            const scorer = createNgramScorer(found);
            scorer.score(
              [
                [1, 2],
                [0, 11],
              ],
              Int32Array.of(0, found.vocabularySize - 1),
              new Float64Array(4),
            );
            for (let id = 0; id < Math.min(12, out.length); id++)
              expect(logProb(found, [1, 2], id)).toBeGreaterThan(-1e40);
            read++;
          } catch (error) {
            if (!isDiffuSpecError(error)) throw error;
            expect(error.code).toBe("ERR_PARSE");
            expect(error.details.offset).toBeGreaterThanOrEqual(0);
            expect(error.details.offset).toBeLessThanOrEqual(original.length + 8);
            refused++;
          }
        },
      ),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(1000);
    expect(read).toBeGreaterThan(100);
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
  test("comes back bit for bit: from a text, from bytes, from lines", () => {
    const written = writeArpa(model);
    for (const text of [written, new TextEncoder().encode(written), arpaLines(model)])
      expect(readArpa(text, { vocabularySize: VOCABULARY })).toEqual(model);
    expect(writeArpa(readArpa(written.replaceAll("\n", "\r\n"), { vocabularySize: VOCABULARY }))).toBe(written);
  });

  test("any 32-bit float comes back bit for bit", () => {
    const logProbs = Float32Array.from({ length: 5000 }, (_, i) => -Math.exp(10 * Math.sin(i * i)));
    const some: NgramModel = {
      order: 1,
      vocabularySize: logProbs.length,
      levels: [
        {
          tokens: Uint16Array.from(logProbs.keys()),
          logProb: logProbs,
          backoff: new Float32Array(0),
          childStart: new Uint32Array(0),
        },
      ],
    };
    expect(readArpa(arpaLines(some), { vocabularySize: logProbs.length })).toEqual(some);
  });

  test.each([
    ["white space", (id: number) => (id === 3 ? "a b" : `${id}`)],
    ["nothing", (id: number) => (id === 3 ? "" : `${id}`)],
    ["the word of another id", (id: number) => `${id % 11}`],
  ])("a word that is or holds %s is not written", (_, piece) => {
    expect(() => writeArpa(model, { piece })).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });

  test("<unk> is for ids without a line; <s> and </s> are the caller's ids", () => {
    const arpa =
      "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1.5\t<unk>\t0\n0\t<s>\t-0.3\n-0.2\t</s>\t0\n-0.4\t1\t-0.1\n" +
      "\n\\2-grams:\n-0.1\t<s> 1\n-0.05\t1 </s>\n\n\\end\\\n";
    const marks: Record<string, number> = { "<s>": 3, "</s>": 2 };
    const id = (word: string) => marks[word] ?? (/^\d$/.test(word) ? Number(word) : undefined);
    const read = readArpa(arpa, { vocabularySize: 4, id });
    expect(logProb(read, [], 0)).toBeCloseTo(-1.5 * Math.LN10, 5);
    expect(logProb(read, [3], 0)).toBeCloseTo((-0.3 - 1.5) * Math.LN10, 5);
    expect(logProb(read, [3], 1)).toBeCloseTo(-0.1 * Math.LN10, 5);
    expect(logProb(read, [1], 2)).toBeCloseTo(-0.05 * Math.LN10, 5);
    expect(() => readArpa(arpa, { vocabularySize: 4 })).toThrow(/the word <s> is not in the vocabulary/);
  });

  test("the place of an error: the line, and the byte where bytes were given", () => {
    const written = writeArpa(estimateNgram([[0, 1]], { order: 1, vocabularySize: 2 })).replace("\t1\n", "\tx\n");
    const byte = written.lastIndexOf("\n", written.indexOf("\tx")) + 1;
    const details = (text: string | Uint8Array) => {
      try {
        return readArpa(text, { vocabularySize: 2 });
      } catch (error) {
        return (error as { details: unknown }).details;
      }
    };
    expect(details(written)).toEqual({ line: 6 });
    expect(details(new TextEncoder().encode(written))).toEqual({ line: 6, offset: byte });
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
    ["a hexadecimal number", good.replace(/\n-[\d.]+\t0 1\n/, "\n-0x1\t0 1\n")],
    ["a number out of range", good.replace(/\n-[\d.]+\t0 1\n/, "\n-1e300\t0 1\n")],
    ["an n-gram too many", good.replace("\n\n\\end", "\n-1\t2 2\n\n\\end")],
    [
      "an n-gram without its beginning",
      good.replace("ngram 2=3", "ngram 2=3\nngram 3=1").replace("\\end\\", "\\3-grams:\n-1\t2 2 2\n\n\\end\\"),
    ],
    ["something after the end", `${good}more`],
    ["bytes that are no text", new Uint8Array(40).fill(255)],
    ["iARPA", `iARPA\n${good}`],
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
          const mutant = good.slice(0, at) + insert + good.slice(at + drop);
          try {
            decodeNgram(encodeNgram(readArpa(mutant, { vocabularySize: 3 }))); // what one reader takes, the other must
          } catch (error) {
            if (!isDiffuSpecError(error) || error.code !== "ERR_PARSE") throw error;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
