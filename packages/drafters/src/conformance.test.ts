import { drafterConformance } from "@diffuspec/testkit";
import { describe, it } from "vitest";
import { createPromptLookup, createRecycling, PLD_SPEC_BENCH, RECYCLING_TREE_80 } from "./index.ts";

const drafters = {
  "prompt lookup": () => createPromptLookup(),
  "prompt lookup as in Spec-Bench": () => createPromptLookup(PLD_SPEC_BENCH),
  recycling: () => createRecycling({ vocabularySize: 32 }),
  "recycling with 80 nodes": () => createRecycling({ vocabularySize: 32, template: RECYCLING_TREE_80 }),
};

describe.each(Object.entries(drafters))("%s", (_, make) => {
  for (const { name, run } of drafterConformance(make)) it(name, run);
});
