import { drafterConformance, verifierConformance } from "@diffuspec/testkit";
import { describe, expect, it } from "vitest";
import * as drafter from "./custom-drafter.ts";
import * as verifier from "./custom-verifier.ts";

describe("custom drafter", () => {
  it("changes the speed, not the text", async () => {
    const { identical, meanAcceptedTokens } = await drafter.main();
    expect(identical).toBe(true);
    expect(meanAcceptedTokens).toBeGreaterThan(1);
  });
  for (const { name, run } of drafterConformance(drafter.createEchoDrafter)) it(name, run);
});

describe("custom verifier", () => {
  it("is decoded losslessly", async () => {
    const { identical, text } = await verifier.main();
    expect(identical).toBe(true);
    expect(text).toMatch(/^[a-z .]+$/);
  });
  for (const { name, run } of verifierConformance(() => verifier.createBigramVerifier("the cat sat on the mat.")))
    it(name, run);
});
