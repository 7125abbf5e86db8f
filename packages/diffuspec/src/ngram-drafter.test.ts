import type { CausalScorer } from "@diffuspec/contracts";
import { complete } from "@diffuspec/spec-loop";
import { createFakeVerifier, drafterConformance } from "@diffuspec/testkit";
import { describe, expect, test } from "vitest";
import { createNgramDrafter } from "./ngram-drafter.ts";

/** Knows exactly what a target of order 1 would say. */
function oracle(verifier: ReturnType<typeof createFakeVerifier>): CausalScorer<number> {
  return {
    name: "oracle",
    begin: (context) => context[context.length - 1]!,
    advance: (_, token) => token,
    score: (states, candidates, out) => {
      const logits = verifier.model.logits([states[0]!]);
      candidates.forEach((id, c) => {
        out[c] = logits[id]!;
      });
    },
  };
}

const verifier = createFakeVerifier({ order: 1 });
const make = () => createNgramDrafter({ scorer: oracle(verifier), vocabularySize: 32, endIds: [] });

test("a scorer that is right is always accepted", async () => {
  const { totals, tokens } = await complete({ verifier, drafter: make() }, [3, 4], { maxTokens: 45 });
  expect(totals.accepted).toBe(totals.drafted);
  expect(totals.rounds).toBe(5);
  expect(tokens.length).toBe(45);
});

test("the draft ends with an end of text", async () => {
  const ends = verifier.model.logits([7]);
  const end = ends.indexOf(Math.max(...ends));
  const drafter = createNgramDrafter({ scorer: oracle(verifier), vocabularySize: 32, endIds: [end] });
  const session = await drafter.open();
  await session.begin({ ids: Int32Array.of(7), sampler: undefined as never });
  const request = { length: 9, nodes: 9, head: new Int32Array(0), signal: new AbortController().signal };
  expect([...(await session.propose(request)).tree.tokens]).toEqual([7, end]);
});

describe("conformance", () => {
  for (const { name, run } of drafterConformance(make)) test(name, run);
});
