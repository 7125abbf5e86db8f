import { seededRandom } from "@diffuspec/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/code-of.ts";
import {
  type CalibrationRow,
  calibrationRows,
  createLatticeBuilder,
  type FitOptions,
  fitTemperatures,
} from "./index.ts";

/** Probabilities at a temperature over the entries and, last, "any other token"; written without the package's code. */
function tempered(logProbs: readonly number[], temperature: number): number[] {
  const rest = Math.log(Math.max(1e-6, 1 - logProbs.reduce((sum, l) => sum + Math.exp(l), 0)));
  const weights = [...logProbs, rest].map((l) => Math.exp(l / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

/** Rows of a drafter whose logits are `temperature` times too large or small at each position. */
function* synthetic(temperatures: readonly number[], perPosition: number, seed: number): Generator<CalibrationRow> {
  const random = seededRandom(seed);
  for (let n = 0; n < perPosition; n++)
    for (const [position, temperature] of temperatures.entries()) {
      const logits = Array.from({ length: 12 }, () => 4 * random());
      const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
      const logProbs = logits
        .map((x) => x - total)
        .sort((a, b) => b - a)
        .slice(0, 8);
      let left = random();
      const chosen = tempered(logProbs, temperature).findIndex((p) => {
        left -= p;
        return left < 0;
      });
      yield { position, logProbs, chosen: chosen === logProbs.length ? -1 : chosen };
    }
}

const logLoss = (rows: readonly CalibrationRow[], temperature: number) =>
  rows.reduce((sum, { logProbs, chosen }) => {
    const p = tempered(Array.from(logProbs), temperature);
    return sum - Math.log(p[chosen === -1 ? p.length - 1 : chosen]);
  }, 0) / rows.length;

describe("fitTemperatures", () => {
  it("finds the temperatures that the data were made with", () => {
    const truth = [0.6, 1, 1.6, 2.5];
    const { temperatures, positions } = fitTemperatures(synthetic(truth, 20_000, 1));
    for (const [i, t] of truth.entries()) expect(Math.abs(temperatures[i] / t - 1)).toBeLessThan(0.03);
    for (const { rows, lossBefore, lossAfter } of positions) {
      expect(rows).toBe(20_000);
      expect(lossAfter).toBeLessThanOrEqual(lossBefore);
    }
    expect(positions[3].lossAfter).toBeLessThan(positions[3].lossBefore - 0.05);
  });

  it("no other temperature within the bounds has a lower loss", () => {
    const row = fc
      .tuple(
        fc.array(fc.double({ min: -6, max: 6, noNaN: true }), { minLength: 2, maxLength: 6 }),
        fc.nat(),
        fc.boolean(),
      )
      .map(([logits, pick, all]) => {
        const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), all ? 0 : 1));
        return { position: 0, logProbs: logits.map((x) => x - total), chosen: (pick % (logits.length + 1)) - 1 };
      });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
        const { temperatures, positions } = fitTemperatures(rows, { pull: 0 });
        const best = logLoss(rows, temperatures[0]);
        expect(positions[0].lossAfter).toBeCloseTo(best, 6);
        expect(positions[0].lossBefore).toBeCloseTo(logLoss(rows, 1), 6);
        for (let t = 0.25; t <= 4; t *= 1.1) expect(best).toBeLessThanOrEqual(logLoss(rows, t) + 1e-7);
      }),
      { numRuns: 300 },
    );
  });

  it("a drafter that is always right, or never, ends at a bound", () => {
    const always = [{ position: 0, logProbs: [-0.2, -2], chosen: 0 }];
    const never = [{ position: 0, logProbs: [-0.1, -5], chosen: 1 }];
    expect(fitTemperatures(always, { pull: 0, least: 0.5 }).temperatures).toEqual([0.5]);
    expect(fitTemperatures(never, { pull: 0, most: 3 }).temperatures[0]).toBeCloseTo(3, 12);
  });

  it("a position with few rows stays near the one before, and one with none takes its temperature", () => {
    const rows = [...synthetic([2], 2000, 3), { position: 1, logProbs: [-0.2, -2], chosen: 0 }];
    rows.push({ position: 3, logProbs: [-0.2, -2], chosen: 0 });
    const { temperatures, positions } = fitTemperatures(rows, { pull: 50 });
    expect(Math.abs(temperatures[1] / temperatures[0] - 1)).toBeLessThan(0.05);
    expect(temperatures[2]).toBe(temperatures[1]);
    expect(positions[2]).toEqual({ temperature: temperatures[1], rows: 0, lossBefore: 0, lossAfter: 0 });
    expect(fitTemperatures(rows, { pull: 0 }).temperatures[1]).toBe(0.25);
  });

  it("reads padding as nothing", () => {
    const logProbs = [-0.5, -1.5, -3];
    const rows = (padding: number[]) => [
      { position: 0, logProbs: [...logProbs, ...padding], chosen: 1 },
      { position: 0, logProbs: [...logProbs, ...padding], chosen: 0 },
    ];
    expect(fitTemperatures(rows([Number.NEGATIVE_INFINITY]))).toEqual(fitTemperatures(rows([])));
  });

  it.each<[string, FitOptions]>([
    ["least 0", { least: 0 }],
    ["least above 1", { least: 1.1 }],
    ["most below 1", { most: 0.9 }],
    ["most without end", { most: Number.POSITIVE_INFINITY }],
    ["a negative pull", { pull: -1 }],
    ["an unknown option", { Pull: 1 } as FitOptions],
  ])("refuses %s", (_, options) => {
    expect(codeOf(() => fitTemperatures(synthetic([1], 2, 1), options))).toBe("ERR_OPTION");
  });
  it("refuses no rows", () => expect(codeOf(() => fitTemperatures([]))).toBe("ERR_OPTION"));

  it.each<[string, Partial<CalibrationRow>]>([
    ["half a position", { position: 0.5 }],
    ["a negative position", { position: -1 }],
    ["a position beyond any tree", { position: 1e9 }],
    ["NaN", { logProbs: [-1, Number.NaN] }],
    ["a probability above 1", { logProbs: [0.2, -1] }],
    ["probabilities of more than 1 together", { logProbs: [-0.1, -0.1] }],
    ["a choice out of range", { chosen: 2 }],
    ["a choice that is padding", { logProbs: [-1, Number.NEGATIVE_INFINITY], chosen: 1 }],
  ])("says ERR_CONTRACT for a row with %s", (_, part) => {
    const rows = [{ position: 0, logProbs: [-1, -2], chosen: 0, ...part }];
    expect(codeOf(() => fitTemperatures(rows))).toBe("ERR_CONTRACT");
  });
});

describe("from logs to a lattice", () => {
  it("calibrationRows compares every position with what the target wrote", () => {
    const builder = createLatticeBuilder({ tau: 1, maxCandidates: 2 });
    const lattice = builder.fromLogits(Float32Array.of(0, 2, 1, 0, 5, 1, 3, 2, 1), 3, 3);
    const rows = calibrationRows(lattice, [2, 0]);
    expect(rows.map(({ position, chosen }) => [position, chosen])).toEqual([
      [0, 1],
      [1, -1],
    ]);
    const before = rows[0].logProbs[0];
    builder.fromLogits(new Float32Array(9), 3, 3);
    expect(rows[0].logProbs[0]).toBe(before);
  });

  it("a lattice with temperatures holds the probabilities that the fit assumed; without, nothing changes", () => {
    const logits = [3, 1.5, 1, 0, -1];
    const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
    const build = (temperatures?: readonly number[]) =>
      createLatticeBuilder({ tau: 1, maxCandidates: 3, ...(temperatures && { temperatures }) }).fromLogits(
        Float32Array.from([...logits, ...logits, ...logits]),
        3,
        5,
      );
    const at = (position: number, temperatures?: readonly number[]) =>
      [...build(temperatures).logProbs.subarray(3 * position, 3 * position + 3)].map(Math.exp);
    const expected = (temperature: number) =>
      tempered(
        logits.slice(0, 3).map((x) => x - total),
        temperature,
      );
    for (const [position, temperature] of [0.5, 2, 2].entries())
      for (const [c, p] of at(position, [0.5, 2]).entries()) expect(p).toBeCloseTo(expected(temperature)[c], 6);
    expect(at(0, [1, 3])).toEqual(at(0));
  });

  it("of a list that holds everything it is the softmax of the logits over T", () => {
    const logits = [3, 1.5, 1, 0, -1];
    const lattice = createLatticeBuilder({ tau: 1, temperatures: [2] }).fromLogits(Float32Array.from(logits), 1, 5);
    const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x / 2), 0));
    // The least mass of "any other token" is 1e-6, and 1e-3 at T = 2.
    for (const [c, x] of logits.entries())
      expect(Math.abs(Math.exp(lattice.logProbs[c]) - Math.exp(x / 2 - total))).toBeLessThan(1e-3);
  });

  it("never changes the order, and a higher temperature lets more candidates in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 2, maxLength: 12 }),
        fc.double({ min: 0.1, max: 5, noNaN: true }),
        fc.double({ min: 1, max: 3, noNaN: true }),
        (tenths, temperature, more) => {
          const logits = Float32Array.from(tenths, (x) => x / 10);
          const ids = (t: number) => {
            const lattice = createLatticeBuilder({ tau: 0.77, temperatures: [t] }).fromLogits(logits, 1, logits.length);
            return [...lattice.tokens.subarray(0, lattice.offsets[1])];
          };
          const [few, many] = [ids(temperature), ids(temperature * more)];
          expect(many.slice(0, few.length)).toEqual(few);
        },
      ),
      { numRuns: 500 },
    );
  });
});
