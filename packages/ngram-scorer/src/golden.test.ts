import { describe, expect, test } from "vitest";
import { openGolden } from "../test/golden.ts";
import { estimateNgram, LOG_ZERO, logProb, type NgramModel, readArpa } from "./index.ts";
import { findNgram } from "./model.ts";

const golden = openGolden(new URL("../golden/", import.meta.url));
const { models, estimated } = golden;
const unpack = (name: string) => golden.unpack(name).toString();

/** One n-gram of an ARPA text, by a reader that shares nothing with the package. */
interface Line {
  readonly words: readonly string[];
  readonly prob: number;
  readonly backoff: number;
}

function linesOf(arpa: string): Line[] {
  return arpa.split("\n").flatMap((line) => {
    const [prob, words, backoff = "0"] = line.split("\t");
    return words === undefined ? [] : [{ words: words.split(" "), prob: Number(prob), backoff: Number(backoff) }];
  });
}

function furthest(lines: readonly Line[], model: NgramModel, ids: ReadonlyMap<string, number>) {
  let prob = 0;
  let backoff = 0;
  for (const line of lines) {
    const gram = line.words.map((word) => ids.get(word)!);
    const place = findNgram(model, gram, 0, gram.length);
    expect(place, line.words.join(" ")).toBeGreaterThanOrEqual(0);
    const level = model.levels[gram.length - 1]!;
    if (line.words.join() !== "<s>") prob = Math.max(prob, Math.abs(level.logProb[place]! / Math.LN10 - line.prob));
    backoff = Math.max(backoff, Math.abs((level.backoff[place] ?? 0) / Math.LN10 - line.backoff));
  }
  return { prob, backoff };
}

describe("estimateNgram equals lmplz", () => {
  test.each(models)("$file: the same n-grams, probabilities and back-offs within 1e-5 (log10)", (golden) => {
    const lines = linesOf(unpack(golden.file));
    const { model, ids } = estimated(golden);
    for (const [i, level] of model.levels.entries())
      expect(level.logProb.length, `${i + 1}-grams`).toBe(lines.filter(({ words }) => words.length === i + 1).length);
    const apart = furthest(lines, model, ids);
    expect(apart.prob).toBeLessThan(1e-5);
    expect(apart.backoff).toBeLessThan(1e-5);
  });

  test.each(models.filter(({ fallback }) => !fallback))("$file: so without the option lmplz", (golden) => {
    const { model, ids } = estimated(golden, false);
    const apart = furthest(linesOf(unpack(golden.file)), model, ids);
    expect(Math.max(apart.prob, apart.backoff)).toBeLessThan(1e-5);
  });

  test("<s> alone differs: 10^-99 here, so that probabilities sum to 1; lmplz writes log10 p = 0", () => {
    const { model, ids } = estimated(models.find(({ file }) => file === "tiny-3.arpa.gz")!);
    expect(logProb(model, [], ids.get("<s>")!)).toBeCloseTo(LOG_ZERO, 3);
    const line = linesOf(unpack("tiny-3.arpa.gz")).find(({ words }) => words.join() === "<s>")!;
    expect(line.prob).toBe(0);
  });

  test("lmplz without boundaries is refused", () => {
    expect(() => estimateNgram([[0, 1]], { vocabularySize: 4, boundaries: { begin: 3 }, lmplz: true })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", message: expect.stringMatching(/both boundaries/) }),
    );
  });

  test("the comparison can fail: another discount moves a probability by more", () => {
    const golden = models.find(({ file }) => file === "tiny-3.arpa.gz")!;
    const { model, ids } = estimated({ ...golden, fallback: [0.5, 1, 1.501] });
    const apart = furthest(linesOf(unpack(golden.file)), model, ids);
    expect(Math.max(apart.prob, apart.backoff)).toBeGreaterThan(1e-5);
  });
});

test("readArpa reads lmplz's own files as it meant them", () => {
  for (const golden of models) {
    const text = unpack(golden.file);
    const { model, ids } = estimated(golden);
    const read = readArpa(text, { vocabularySize: ids.size, id: (word) => ids.get(word) });
    expect(read.levels.map(({ tokens }) => tokens)).toEqual(model.levels.map(({ tokens }) => tokens));
    const apart = furthest(linesOf(text), read, ids);
    expect(Math.max(apart.prob, apart.backoff)).toBeLessThan(1e-6);
  }
});
