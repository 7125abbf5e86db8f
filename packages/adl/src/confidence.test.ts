import { isDiffuSpecError } from "@diffuspec/contracts";
import { describe, expect, it } from "vitest";
import { simulate, speed, type World } from "../test/simulation.ts";
import { CONFIDENCE_DEFAULTS, type ConfidenceOptions, createConfidence, createFixedLength } from "./index.ts";

/** The lengths of as many rounds as there are answers: where the drafter ended each draft, or "all" of it. */
function trace(options: ConfidenceOptions, answers: readonly (number | "all")[]): number[] {
  const controller = createConfidence(options);
  controller.begin();
  return answers.map((answer) => {
    const length = controller.next({ limit: 100 });
    const drafted = answer === "all" ? length : answer;
    controller.observe({ length, drafted, generatedLength: length, accepted: 0, rows: 1, draftMs: 1, verifyMs: 1 });
    return length;
  });
}

describe("by hand", () => {
  it("follows where drafts end, extends while none does, and stays within its bounds", () => {
    expect(trace({}, [6, 6, 1, 0, "all", "all", "all"])).toEqual([24, 10, 10, 5, 4, 8, 12]);
    expect(trace({ delta: 1, kMin: 2, kMax: 5 }, [1, "all", "all", "all", "all", 0])).toEqual([5, 2, 3, 4, 5, 5]);
  });
  it("a round without a draft changes nothing, and a generation begins at kMax", () => {
    const controller = createConfidence();
    const round = { length: 8, drafted: 2, generatedLength: 8, accepted: 2, rows: 3, draftMs: 1, verifyMs: 1 };
    controller.observe(round);
    controller.observe({ ...round, length: 0, drafted: 0 });
    expect(controller.next({ limit: 100 })).toBe(2 + CONFIDENCE_DEFAULTS.delta);
    controller.begin();
    expect(controller.next({ limit: 100 })).toBe(CONFIDENCE_DEFAULTS.kMax);
  });
  it.each([{ delta: 0 }, { delta: 1.5 }, { kMin: 0 }, { kMin: 9, kMax: 8 }, { kmax: 9 }])("refuses %j", (options) => {
    try {
      createConfidence(options as ConfidenceOptions);
      expect.unreachable();
    } catch (error) {
      expect(isDiffuSpecError(error) && error.code).toBe("ERR_OPTION");
    }
  });
  it("refuses a round with NaN", () => {
    const round = { length: 8, drafted: Number.NaN, generatedLength: 8, accepted: 2, rows: 3, draftMs: 1, verifyMs: 1 };
    expect(() => createConfidence().observe(round)).toThrow(expect.objectContaining({ code: "ERR_CONTRACT" }));
  });
});

/** Text in stretches of 40 rounds, easy or hard; the drafter knows which, and ends a draft whose chance falls below 0.1. */
const easy = (round: number) => Math.floor(round / 40) % 2 === 0;
const chance = (round: number) => (easy(round) ? 0.9 : 0.4);
const stretches = (perToken: number): World => ({
  accept: (_, round) => chance(round),
  draftMs: (k) => 2 + perToken * k,
  verifyMs: (rows) => 5 + 0.3 * rows,
  sure: (round) => Math.floor(Math.log(0.1) / Math.log(chance(round))),
});

describe("in a simulated world with a drafter that ends its drafts", () => {
  it.each([0.01, 0.1, 0.3])("%d ms a drafted token: within 5 %% of the best fixed length", (perToken) => {
    const runs = (make: () => ReturnType<typeof createConfidence>) =>
      [1, 2, 3].flatMap((seed) => simulate(make(), stretches(perToken), { tokens: 4000, seed }));
    const fixed = Array.from({ length: CONFIDENCE_DEFAULTS.kMax }, (_, i) =>
      speed(runs(() => createFixedLength(i + 1))),
    );
    expect(speed(runs(createConfidence)) / Math.max(...fixed)).toBeGreaterThan(0.95);
  });
  it("asks for little where the drafter is not sure", () => {
    const rounds = simulate(createConfidence(), stretches(0.1), { tokens: 4000, seed: 4 });
    const asked = (which: boolean) => {
      const own = rounds.filter((_, round) => easy(round) === which).map(({ length }) => length);
      return own.reduce((sum, length) => sum + length, 0) / own.length;
    };
    expect(asked(false)).toBeLessThan(8);
    expect(asked(true)).toBeGreaterThan(18);
  });
});
