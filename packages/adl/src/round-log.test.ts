import { describe, expect, it } from "vitest";
import { simulate } from "../test/simulation.ts";
import { createAdl, createFixedLength, createLengthTable, type RoundLog, withRoundLog } from "./index.ts";

const observation = { length: 5, drafted: 5, generatedLength: 9, accepted: 2, rows: 6, draftMs: 1, verifyMs: 2 };

describe("withRoundLog", () => {
  it("reports every round with L_gen of Eq. 9, and counts rounds by generation", () => {
    const seen: RoundLog[] = [];
    const controller = withRoundLog(createFixedLength(5), (log) => seen.push(log));
    for (const rounds of [2, 1]) {
      controller.begin();
      for (let i = 0; i < rounds; i++) controller.observe(observation);
    }
    expect(seen.map(({ generation, round }) => [generation, round])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(seen[0]).toEqual({
      generation: 0,
      round: 0,
      length: 5,
      generated: 5,
      accepted: 2,
      rows: 6,
      draftMs: 1,
      verifyMs: 2,
    });
  });
  it("does not change what the controller decides", () => {
    const world = { accept: () => 0.9, draftMs: () => 1, verifyMs: () => 2 };
    const plain = simulate(createAdl({ kMin: 2 }), world, { tokens: 500, perPrompt: 100, seed: 1 });
    let rounds = 0;
    const logged = withRoundLog(createAdl({ kMin: 2 }), () => rounds++);
    expect(logged.name).toBe("adl");
    expect(simulate(logged, world, { tokens: 500, perPrompt: 100, seed: 1 })).toEqual(plain);
    expect(rounds).toBe(plain.length);
  });
  it("reports nothing that the controller refuses", () => {
    const seen: RoundLog[] = [];
    const controller = withRoundLog(createAdl(), (log) => seen.push(log));
    expect(() => controller.observe({ ...observation, accepted: Number.NaN })).toThrow();
    expect(seen).toEqual([]);
  });
  it("refuses a hook that is none", () => {
    expect(() => withRoundLog(createAdl(), undefined as never)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
  });
});

describe("createLengthTable", () => {
  it("gives mean L_gen and L_acc by k", () => {
    const table = createLengthTable();
    const controller = withRoundLog(createFixedLength(5), table.add);
    controller.observe(observation);
    controller.observe({ ...observation, generatedLength: 1, accepted: 1, draftMs: 3 });
    controller.observe({ ...observation, length: 2, generatedLength: 2, accepted: 2 });
    controller.observe({ ...observation, length: 0, drafted: 0, generatedLength: 0, accepted: 0, rows: 1, draftMs: 0 });
    const costs = { meanDraftMs: 1, meanVerifyMs: 2 };
    expect(table.rows()).toEqual([
      { length: 0, rounds: 1, meanGenerated: 0, meanAccepted: 0, ...costs, meanDraftMs: 0 },
      { length: 2, rounds: 1, meanGenerated: 2, meanAccepted: 2, ...costs },
      { length: 5, rounds: 2, meanGenerated: 3, meanAccepted: 1.5, ...costs, meanDraftMs: 2 },
    ]);
  });
});
