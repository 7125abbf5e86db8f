import { expect, test } from "vitest";
import { boundTable } from "../src/benchmarks-bound.ts";
import type { SpecBenchResult } from "../src/spec-bench-measure.ts";

test("the bound of a method: no drafting time, no cost of further rows, and what three times would take", () => {
  const exact = { rounds: 300, decodeMs: 3000 };
  const task = (tokens: number) => ({
    arExact: exact,
    methods: [{ name: "diffuspec", rounds: 100, decodeMs: 1500, draftMs: 400, searchMs: 100, speedup: tokens / 150 }],
  });
  const result = {
    tasks: [task(300), task(240)],
    means: [{ name: "diffuspec", speedup: 1.8, meanAcceptedTokens: 2.7 }],
  } as unknown as SpecBenchResult;
  // A round takes 15 ms of which 5 are drafting, plain decoding takes 10: 2.0 and 1.6 times become 3.0 and 2.4.
  const row = boundTable(result).split("\n").at(-1)!;
  expect(row.split("|").map((cell) => cell.trim())).toEqual(["", "DiffuSpec", "1.80x", "2.70x", "2.70x", "4.50", ""]);
});
