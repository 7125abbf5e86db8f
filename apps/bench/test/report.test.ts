import type { Verifier } from "@diffuspec/contracts";
import { createSampler, openSession } from "@diffuspec/spec-loop";
import { createFakeVerifier, oracleDrafter, plainDecode } from "@diffuspec/testkit";
import type { Engine } from "diffuspec/engine";
import { expect, test } from "vitest";
import { interleave } from "../src/interleave.ts";
import { openMethods } from "../src/methods.ts";
import type { Pair } from "../src/pair.ts";
import { report } from "../src/report.ts";
import { corrupted } from "./corrupted.ts";

const honest = createFakeVerifier({ vocabularySize: 50, seed: 3, contextLength: 300, eosIds: [] });

function pairOver(drafted: Verifier): Pair {
  const sampler = createSampler({}, 50);
  const engine = {
    openSession: async ({ drafter }: { drafter: string }) =>
      drafter === "none"
        ? openSession({ verifier: honest })
        : openSession({ verifier: drafted, drafter: oracleDrafter(honest.model) }),
  } as unknown as Engine;
  return {
    name: "fake",
    engine,
    engineWith: async () => engine,
    sampling: {},
    sampler,
    plain: {
      precision: "fp32",
      decode: async (ids, { maxTokens }) => ({
        ids: Int32Array.from((await plainDecode(honest, ids, sampler, { maxTokens })).tokens),
        prefillMs: 1,
        decodeMs: 1,
      }),
      dispose: async () => {},
    },
    dispose: async () => {},
  };
}

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
