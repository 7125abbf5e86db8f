import { expect, test } from "vitest";
import { goldenDifference } from "../src/ngram-golden.ts";
import { readCorpus } from "../src/ngram-text.ts";

test("the golden files are met within 1e-5 (log10), and not by being empty", () => {
  const found = goldenDifference();
  expect(found).toBeGreaterThan(0);
  expect(found).toBeLessThan(1e-5);
});

test("a million held-out queries, none of them in the training lines", () => {
  const { train, heldOut, queries, words, end } = readCorpus();
  expect(queries).toBeGreaterThanOrEqual(1_000_000);
  expect(heldOut.every((ids) => ids.at(-1) === end)).toBe(true);
  expect(train.every((ids) => ids.every((id) => id > end && id < words.length))).toBe(true);
  const seen = new Set(train.map(String));
  expect(heldOut.filter((ids) => seen.has(String(ids.subarray(0, -1))))).toEqual([]);
});
