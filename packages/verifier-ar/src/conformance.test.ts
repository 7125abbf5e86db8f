import { verifierConformance } from "@diffuspec/testkit";
import { afterAll, describe, it } from "vitest";
import { open } from "../test/fixture-model.ts";

describe.each([
  ["int8", "exact"],
  ["fp32", "exact"],
  ["int8", "tolerant"],
] as const)("the contract, %s, %s", (precision, exactness) => {
  // Chunks of 16, so that the prompts of the suite take several.
  const verifier = open({ precision, exactness, prefillChunk: 16 });
  afterAll(async () => (await verifier).dispose());
  for (const { name, run } of verifierConformance(() => verifier, { needs: { topK: 3 } })) {
    // A row alone and a row in company agree only where exact mode sees to it.
    if (exactness === "tolerant" && name.includes("how many others")) continue;
    it(name, run);
  }
});
