import { openSession } from "@diffuspec/spec-loop";
import { createFakeVerifier, oracleDrafter } from "@diffuspec/testkit";
import { createEngine, DRAFTER_NAMES, type Engine } from "diffuspec/engine";
import { expect, test } from "vitest";
import { allCombinations, allModes, prove } from "../src/prove.ts";
import { encodeSuite, openSuite, takeFirst } from "../src/suite.ts";
import { corrupted } from "./corrupted.ts";

test("a part of the grid on the beginning of a completion", { timeout: 300_000 }, async () => {
  const all = allCombinations(DRAFTER_NAMES);
  // 6 drafters, and 2 with trees, under 6 controllers; with each S of 2, 4 and 8 three chains and two trees under 3
  const size = ({ drafters, controllers }: (typeof all)[number]) => drafters.length * controllers.length;
  expect(all.reduce((sum, one) => sum + size(one), 0)).toBe(6 * 6 + 2 * 6 + 3 * (3 + 2) * 3);

  const few = all.filter(({ steps }) => steps === 1 || steps === 4);
  const combinations = few.map((one) => ({ ...one, controllers: ["adl", "cost-aware"] as const }));
  const [greedy, , sampled] = allModes(5);
  const proof = await prove({
    open: (options) => createEngine({ drafter: "none", ...options }),
    combinations,
    modes: [greedy!, sampled!],
    encode: (engine) => encodeSuite(takeFirst(openSuite({}, false), 1), engine),
    maxTokens: 10,
  });
  expect(proof.differing).toEqual([]);
  expect(proof).toMatchObject({ identical: true, combinations: (6 + 2 + 3 + 2) * 2, modes: 2, prompts: 1 });
  expect(proof.completions).toBe(proof.combinations * 2);
});

test("a model without a diffusion drafter has a smaller grid", () => {
  expect(allCombinations(["prompt-lookup", "recycling", "none"])).toMatchObject([
    { drafters: ["prompt-lookup", "recycling"] },
  ]);
});

test("a corrupted verifier is found, with the place", async () => {
  const honest = createFakeVerifier({ vocabularySize: 50, seed: 3, contextLength: 300, eosIds: [] });
  const engine = {
    openSession: async ({ drafter }: { drafter: string }) => {
      const session = await openSession(
        drafter === "none"
          ? { verifier: honest }
          : { verifier: corrupted(honest), drafter: oracleDrafter(honest.model) },
      );
      return { ...session, generate: (prompt: Int32Array) => session.generate(prompt, { maxTokens: 100 }) };
    },
    dispose: async () => {},
  } as unknown as Engine;
  const proof = await prove({
    open: async () => engine,
    combinations: [{ steps: 1, search: "chain", drafters: ["ngram"], controllers: ["adl"] }],
    modes: [{ name: "greedy", sampling: {} }],
    encode: () => [Int32Array.of(1, 2, 3)],
    maxTokens: 20,
  });
  expect(proof).toMatchObject({ identical: false, completions: 1 });
  expect(proof.differing[0]).toMatchObject({ mode: "greedy", prompt: 0, combination: 'ngram, "adl", S = 1, chain' });
});
