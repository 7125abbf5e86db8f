import { argmax } from "@diffuspec/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shortlist } from "./filters.ts";
import { forbidBefore } from "./forbid.ts";
import { GUMBEL_BOUND, gumbel, noiseWord, positionKey } from "./gumbel.ts";
import { createSampler, type SamplerOptions } from "./sampler.ts";

const NONE = new Int32Array(0);

/** Upper quantile of chi-square at p = 1e-5, by Wilson and Hilferty's approximation (z = 4.265). */
const chiSquareLimit = (freedom: number) =>
  freedom * (1 - 2 / (9 * freedom) + 4.265 * Math.sqrt(2 / (9 * freedom))) ** 3;

function chiSquare(counts: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) if (expected[i]! > 0) sum += (counts[i]! - expected[i]!) ** 2 / expected[i]!;
  return sum;
}

/** The law a sampler should have, written plainly: a full sort, no shortcuts. */
function law(logits: ArrayLike<number>, o: Partial<SamplerOptions>, ids: readonly number[] = []): number[] {
  let x = Array.from(logits);
  const penalty = o.repetitionPenalty ?? 1;
  for (const id of new Set(ids)) x[id] = x[id]! > 0 ? x[id]! / penalty : x[id]! * penalty;
  const bias = o.logitBias instanceof Map ? o.logitBias : new Map(Object.entries(o.logitBias ?? {}));
  for (const [id, value] of bias) x[Number(id)]! += value;
  x = x.map((v) => v / (o.temperature ?? 1));
  const softmax = () => {
    const max = Math.max(...x);
    const w = x.map((v) => Math.exp(v - max));
    const sum = w.reduce((a, b) => a + b, 0);
    return w.map((v) => v / sum);
  };
  const order = () => [...x.keys()].sort((a, b) => x[b]! - x[a]! || a - b);
  if (o.topK) for (const id of order().slice(o.topK)) x[id] = Number.NEGATIVE_INFINITY;
  const p = softmax();
  let mass = 0;
  for (const id of order()) {
    if (mass >= (o.topP ?? 1)) x[id] = Number.NEGATIVE_INFINITY;
    mass += p[id]!;
  }
  const q = softmax();
  const most = Math.max(...q);
  for (const id of x.keys()) if (q[id]! < (o.minP ?? 0) * most) x[id] = Number.NEGATIVE_INFINITY;
  return softmax();
}

const row = (size: number, seed: number) =>
  Float32Array.from({ length: size }, (_, i) => (noiseWord(i, seed, 99) / 2 ** 32) * 8 - 4);

describe("the noise", () => {
  it("is uniform over words, tokens, positions and seeds", () => {
    const draws = 64_000;
    const streams: Record<string, (i: number) => number> = {
      tokens: (i) => noiseWord(i, positionKey(7, 3, 0), positionKey(7, 3, 1)),
      positions: (i) => noiseWord(5, positionKey(7, i, 0), positionKey(7, i, 1)),
      seeds: (i) => noiseWord(5, positionKey(i, 3, 0), positionKey(i, 3, 1)),
      "high halves of seeds": (i) => noiseWord(5, positionKey(i * 2 ** 32, 3, 0), positionKey(i * 2 ** 32, 3, 1)),
    };
    for (const [name, stream] of Object.entries(streams))
      for (const shift of [26, 13, 0]) {
        const counts = new Float64Array(64);
        for (let i = 0; i < draws; i++) counts[(stream(i) >>> shift) & 63]! += 1;
        const value = chiSquare(counts, new Float64Array(64).fill(draws / 64));
        expect(value, `${name}, bits from ${shift}`).toBeLessThan(chiSquareLimit(63));
      }
  });

  it("is independent between neighbouring tokens, positions and seeds", () => {
    const at = (seed: number, position: number, token: number) =>
      noiseWord(token, positionKey(seed, position, 0), positionKey(seed, position, 1)) >>> 28;
    const pairs: Record<string, (i: number) => [number, number]> = {
      tokens: (i) => [at(1, i >> 8, i & 255), at(1, i >> 8, (i & 255) + 1)],
      positions: (i) => [at(1, i >> 8, i & 255), at(1, (i >> 8) + 1, i & 255)],
      diagonal: (i) => [at(1, i >> 8, i & 255), at(1, (i >> 8) + 1, (i & 255) + 1)],
      seeds: (i) => [at(1, i >> 8, i & 255), at(2, i >> 8, i & 255)],
    };
    const draws = 65_536;
    for (const [name, pair] of Object.entries(pairs)) {
      const counts = new Float64Array(256);
      for (let i = 0; i < draws; i++) {
        const [a, b] = pair(i);
        counts[a * 16 + b]! += 1;
      }
      expect(chiSquare(counts, new Float64Array(256).fill(draws / 256)), name).toBeLessThan(chiSquareLimit(255));
    }
  });

  it("never exceeds the bound that lets ids be skipped", () => {
    const words = [0, 1, 2, 3, 2 ** 31, 2 ** 31 - 1, 2 ** 32 - 1, ...Array.from({ length: 32 }, (_, i) => 2 ** i)];
    for (const word of [...words, ...Array.from({ length: 20_000 }, (_, i) => noiseWord(i, 1, 2))]) {
      expect(Number.isFinite(gumbel(word))).toBe(true);
      expect(gumbel(word)).toBeLessThan(GUMBEL_BOUND[Math.clz32(word)]!);
    }
  });
});

describe("the sampler's law", () => {
  const cases: [string, Partial<SamplerOptions>, number[]][] = [
    ["temperature 1", { temperature: 1 }, []],
    ["temperature 0.5", { temperature: 0.5 }, []],
    ["temperature 2", { temperature: 2 }, []],
    ["top-k", { temperature: 1.5, topK: 5 }, []],
    ["top-p", { temperature: 1, topP: 0.8 }, []],
    ["min-p", { temperature: 1.2, minP: 0.1 }, []],
    ["all filters", { temperature: 1.5, topK: 9, topP: 0.9, minP: 0.05 }, []],
    ["penalty", { temperature: 1, repetitionPenalty: 1.7 }, [0, 3, 3, 5, 11]],
    ["bias", { temperature: 1, logitBias: { 2: 3, 4: Number.NEGATIVE_INFINITY } }, []],
  ];
  it.each(cases)("%s: frequencies over positions and over seeds fit the softmax", (_, options, ids) => {
    const logits = row(12, 5);
    const draws = 30_000;
    const expected = law(logits, options, ids).map((p) => p * draws);
    const before = Int32Array.from(ids);
    const byPosition = new Float64Array(12);
    const sampler = createSampler({ ...options, seed: 11 }, 12);
    for (let i = 0; i < draws; i++) byPosition[sampler.token(logits, i, before)]! += 1;
    const bySeed = new Float64Array(12);
    for (let i = 0; i < draws; i++) bySeed[createSampler({ ...options, seed: i }, 12).token(logits, 40, before)]! += 1;
    for (const counts of [byPosition, bySeed]) {
      expected.forEach((count, id) => {
        if (count === 0) expect(counts[id]).toBe(0);
      });
      expect(chiSquare(counts, expected)).toBeLessThan(chiSquareLimit(expected.filter((n) => n > 0).length - 1 || 1));
    }
  });

  it("is the argmax of score plus noise() over the survivors", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.nat(1e6),
        fc.record({
          temperature: fc.constantFrom(0.3, 1, 2.5),
          topK: fc.nat(70),
          topP: fc.constantFrom(0.1, 0.5, 0.95, 1),
          minP: fc.constantFrom(0, 0.02, 0.5, 1),
          repetitionPenalty: fc.constantFrom(1, 1.3, 0.8),
          seed: fc.nat(Number.MAX_SAFE_INTEGER),
        }),
        fc.array(fc.nat(59), { maxLength: 12 }),
        (size, salt, options, seen) => {
          const logits = row(size, salt);
          const ids = seen.filter((id) => id < size);
          const sampler = createSampler(options, size);
          const p = law(logits, options, ids);
          const values = p.map((share, id) =>
            share === 0 ? Number.NEGATIVE_INFINITY : Math.log(share) + sampler.noise(salt, id),
          );
          const token = sampler.token(logits, salt, Int32Array.from(ids));
          expect(values[token]).toBeGreaterThan(Math.max(...values) - 1e-6);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("is pure: other calls between, other instances and copies change nothing", () => {
    const options = { temperature: 0.9, topP: 0.9, repetitionPenalty: 1.2, seed: 3 };
    const one = createSampler(options, 40);
    const ids = Int32Array.of(1, 2, 3);
    const logits = row(40, 1);
    const copy = logits.slice();
    const first = one.token(logits, 3, ids);
    for (let i = 0; i < 50; i++) one.token(row(40, i), i, Int32Array.of(i % 40));
    expect(one.token(logits, 3, ids)).toBe(first);
    expect(createSampler(options, 40).token(copy, 3, ids.slice())).toBe(first);
    expect(logits).toEqual(copy);
  });

  it("keeps exactly what a full sort would, wherever the mass lies", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 0, -1, -3, -5, -9, -20, -100, -1e4, -1e300, Number.NEGATIVE_INFINITY), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.nat(45),
        fc.constantFrom(0.2, 0.9, 0.999999, 1),
        (list, topK, topP) => {
          const scores = Float64Array.from([0, ...list]);
          const sorted = [...scores.keys()]
            .filter((id) => scores[id] !== Number.NEGATIVE_INFINITY)
            .sort((a, b) => scores[b]! - scores[a]! || a - b)
            .slice(0, topK === 0 ? undefined : topK);
          const found = shortlist(scores, topK, topP);
          expect(found).toEqual(sorted.slice(0, found.length));
          const weight = (ids: number[]) => ids.reduce((sum, id) => sum + Math.exp(scores[id]!), 0);
          if (topP === 1) return;
          expect(weight(found)).toBeGreaterThan(topP * weight(sorted) - 1e-9);
          expect(weight(found.slice(0, -1))).toBeLessThan(topP * weight(sorted) + 1e-9);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("greedy", () => {
  it("is argmaxOnly only where the raw argmax is the choice", () => {
    expect(createSampler({}, 8).argmaxOnly).toBe(true);
    expect(createSampler({ topK: 3, topP: 0.5 }, 8).argmaxOnly).toBe(true);
    expect(createSampler({ logitBias: { 1: 0 } }, 8).argmaxOnly).toBe(true);
    expect(createSampler({ repetitionPenalty: 1.1 }, 8).argmaxOnly).toBe(false);
    expect(createSampler({ logitBias: { 1: 1 } }, 8).argmaxOnly).toBe(false);
    expect(createSampler({ temperature: 0.1 }, 8).argmaxOnly).toBe(false);
  });
  it("lets ties fall to the lowest id, before and after penalty and bias", () => {
    const logits = Float32Array.of(1, 4, 4, 2);
    expect(createSampler({}, 4).token(logits, 0, NONE)).toBe(1);
    expect(createSampler({ repetitionPenalty: 2 }, 4).token(logits, 1, Int32Array.of(1, 1))).toBe(2);
    expect(createSampler({ repetitionPenalty: 2 }, 4).token(logits, 2, Int32Array.of(1, 2))).toBe(1);
    expect(createSampler({ logitBias: new Map([[3, 2]]) }, 4).token(logits, 0, NONE)).toBe(1);
    expect(createSampler({ logitBias: { 0: 3.5 } }, 4).token(logits, 0, NONE)).toBe(0);
  });
  it("multiplies negative logits by the penalty", () => {
    const sampler = createSampler({ repetitionPenalty: 2 }, 2);
    expect(sampler.token(Float32Array.of(-1, -1.5), 1, Int32Array.of(0))).toBe(1);
  });
  it("has no noise", () => expect(createSampler({ seed: 5 }, 8).noise(3, 3)).toBe(0));
  it("is what a tiny temperature approaches, without overflow", () => {
    for (let i = 0; i < 50; i++)
      expect(createSampler({ temperature: 1e-300 }, 30).token(row(30, i), i, NONE)).toBe(argmax(row(30, i)));
  });
});

describe("broken rows and bad options", () => {
  const broken: [string, Float32Array][] = [
    ["NaN alone", Float32Array.of(Number.NaN, Number.NaN)],
    ["-Infinity alone", new Float32Array(2).fill(Number.NEGATIVE_INFINITY)],
    ["+Infinity", Float32Array.of(1, Number.POSITIVE_INFINITY)],
    ["another length", Float32Array.of(1, 2, 3)],
  ];
  for (const [name, logits] of broken)
    for (const temperature of [0, 1])
      it(`${name} at temperature ${temperature} is ERR_CONTRACT`, () => {
        expect(() => createSampler({ temperature }, 2).token(logits, 0, NONE)).toThrow(
          expect.objectContaining({ code: "ERR_CONTRACT" }),
        );
      });
  it("NaN never wins beside a number", () => {
    const logits = Float32Array.of(Number.NaN, -50, Number.NaN);
    for (const options of [{}, { temperature: 1 }, { temperature: 1, topK: 2 }, { temperature: 1, topP: 0.5 }])
      expect(createSampler(options, 3).token(logits, 0, NONE)).toBe(1);
  });
  it("a ban on everything is ERR_OPTION", () => {
    const logitBias = { 0: Number.NEGATIVE_INFINITY, 1: Number.NEGATIVE_INFINITY };
    const error = expect.objectContaining({ code: "ERR_OPTION" });
    expect(() => createSampler({ logitBias }, 2).token(Float32Array.of(1, 2), 0, NONE)).toThrow(error);
    expect(() => forbidBefore(createSampler({}, 2), [0, 1], 5).token(Float32Array.of(1, 2), 0, NONE)).toThrow(error);
  });
  it.each([
    { temperature: -1 },
    { temperature: Number.NaN },
    { temperature: Number.POSITIVE_INFINITY },
    { topK: -1 },
    { topK: 1.5 },
    { topP: 0 },
    { topP: 1.01 },
    { topP: Number.NaN },
    { minP: -0.1 },
    { minP: 2 },
    { repetitionPenalty: 0 },
    { repetitionPenalty: Number.POSITIVE_INFINITY },
    { dryMultiplier: -0.1 },
    { dryMultiplier: Number.POSITIVE_INFINITY },
    { dryBase: 0.9 },
    { dryBase: Number.NaN },
    { dryAllowedLength: 0 },
    { dryAllowedLength: 1.5 },
    { seed: -1 },
    { seed: 2 ** 53 },
    { seed: 0.5 },
    { logitBias: { 8: 1 } },
    { logitBias: { x: 1 } },
    { logitBias: { 1: Number.NaN } },
    { logitBias: { 1: Number.POSITIVE_INFINITY } },
    { temprature: 1 },
    { temperature: "1" },
    { topP: null },
  ])("refuses %j", (options) => {
    expect(() => createSampler(options as Partial<SamplerOptions>, 8)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
  });
});

it("forbidBefore forbids before its position only, and never writes to the row", () => {
  const base = createSampler({}, 3);
  const sampler = forbidBefore(base, [2], 10);
  const logits = Float32Array.of(1, 0, 9);
  expect(sampler.argmaxOnly).toBe(false);
  expect([9, 10, 11].map((position) => sampler.token(logits, position, NONE))).toEqual([0, 2, 2]);
  expect(logits[2]).toBe(9);
});
