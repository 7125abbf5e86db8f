import { expect, test } from "vitest";
import { repeatedShare } from "./loops.ts";

test("a completion without repetition has share 0, a constant one nearly 1", () => {
  expect(repeatedShare([1, 2, 3, 4, 5, 6, 7])).toBe(0);
  expect(repeatedShare(new Array(103).fill(9))).toBeCloseTo(0.99, 10);
  expect(repeatedShare([1, 2])).toBe(0);
});

test("half of the 4-grams repeated is exactly one half", () => {
  // 1 2 3 4 | 2 3 4 1 | 3 4 1 2 | 4 1 2 3, then the same four again
  expect(repeatedShare([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3])).toBe(0.5);
});
