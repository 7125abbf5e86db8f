import { expect, test } from "vitest";
import { interleave } from "../src/interleave.ts";
import { openMethods } from "../src/methods.ts";
import { report } from "../src/report.ts";
import { corrupted } from "./corrupted.ts";
import { honest, pairOver } from "./fake-pair.ts";

const names = ["ar", "arExact", "diffuspec"] as const;
const prompts = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5)];

test("an honest target is identical, and the figures are those of the runs", async () => {
  const pair = pairOver(honest);
  const trials = await interleave(await openMethods(names, pair), prompts, { maxTokens: 40, repeats: 2 });
  const result = report(pair, trials, names);
  expect(result).toMatchObject({ identical: true, prompts: 4, tokens: 160 });
  expect(result.arExact.meanAcceptedTokens).toBe(1);
  expect(result.diffuspec.meanAcceptedTokens).toBeGreaterThan(2);
});

test("a corrupted verifier turns identical false and names the place", async () => {
  const pair = pairOver(corrupted(honest));
  const trials = await interleave(await openMethods(names, pair), prompts, { maxTokens: 40 });
  const result = report(pair, trials, names);
  expect(result.identical).toBe(false);
  expect(result.differing?.[0]).toMatchObject({ method: "diffuspec", prompt: 0, at: expect.any(Number) });
});
