import { describe, expect, test } from "vitest";
import { couple } from "./couple.ts";

/** ln of these probabilities as a table of one row. */
const row = (...q: number[]) => ({
  ids: Int32Array.from(q, (_, i) => 10 + i),
  logits: Float32Array.from(q, Math.log),
  logSumExp: Float32Array.of(0),
});
const noiseOf = (noise: Record<number, number>) => (token: number) => noise[token] ?? 0;

describe("couple", () => {
  test("ranks by ln q + gain * T * noise", () => {
    const table = row(0.5, 0.3, 0.2);
    couple(table, 0, { top: 3, tau: 1, temperature: 2, gain: 2, noise: noiseOf({ 10: -1, 11: 0.1, 12: 1 }) });
    const raw = [Math.log(0.2) + 4, Math.log(0.3) + 0.4, Math.log(0.5) - 4];
    expect([...table.ids]).toEqual([12, 11, 10]);
    const total = Math.log(raw.reduce((sum, x) => sum + Math.exp(x), 0));
    for (const [i, x] of raw.entries()) expect(table.logits[i]! - table.logSumExp[0]!).toBeCloseTo(x - total, 5);
  });

  test("tau counts mass under q, not under the noise", () => {
    const table = row(0.6, 0.2, 0.1, 0.1);
    // The noise all but decides for the last, whose share of q is a tenth.
    couple(table, 0, { top: 4, tau: 0.65, temperature: 1, gain: 1, noise: noiseOf({ 13: 50 }) });
    expect([...table.ids]).toEqual([13, 10, 11, 12]);
    expect([...table.logits].map(Number.isFinite)).toEqual([true, true, false, false]);
  });

  test("equal scores fall to the lowest id, and without noise the order stays", () => {
    const table = row(0.4, 0.2, 0.2, 0.2);
    couple(table, 0, { top: 4, tau: 1, temperature: 0.7, gain: 2, noise: () => 0.3 });
    expect([...table.ids]).toEqual([10, 11, 12, 13]);
  });

  test("log-probabilities never exceed 0 and none is NaN, at any temperature", () => {
    for (const temperature of [1e-320, 1e-6, 0.7, 1, 50]) {
      const table = row(0.5, 0.25, 0.25);
      couple(table, 0, { top: 3, tau: 0.8, temperature, gain: 2, noise: noiseOf({ 11: 3, 12: 9 }) });
      expect(Number.isFinite(table.logits[0])).toBe(true);
      for (const value of table.logits) expect(value - table.logSumExp[0]!).toBeLessThanOrEqual(0);
    }
  });

  test("only the row asked for is touched", () => {
    const table = {
      ids: Int32Array.of(1, 2, 3, 4),
      logits: Float32Array.of(0, -1, 0, -1),
      logSumExp: Float32Array.of(1, 1),
    };
    couple(table, 1, { top: 2, tau: 1, temperature: 1, gain: 1, noise: noiseOf({ 4: 5 }) });
    expect([...table.ids]).toEqual([1, 2, 4, 3]);
    expect(table.logSumExp[0]).toBe(1);
  });
});
