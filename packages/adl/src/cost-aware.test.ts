import type { LengthController } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bestFixed, rateOf, type SimulatedRound, simulate, speed, type World } from "../test/simulation.ts";
import { COST_AWARE_DEFAULTS, type CostAwareOptions, createCostAware, createFixedLength } from "./index.ts";

const { kMax, start, maxWait } = COST_AWARE_DEFAULTS;
const world = (accept: World["accept"], parts: Partial<World> = {}): World => ({
  accept,
  draftMs: (k) => 2 + 0.05 * k,
  verifyMs: (k) => 5 + 0.3 * k,
  ...parts,
});
/** About what a 10M-parameter pair costs on one core: every row counts. */
const small = { draftMs: (k: number) => 0.9 + 0.02 * k, verifyMs: (k: number) => 0.94 + 0.09 * k };
/** A drafter with a cache of its own, which reads what was written since its last draft. */
const reading = { ...small, resumeMs: (idle: number) => (idle > 0 ? 0.3 + 0.02 * idle : 0) };
const large = { draftMs: (k: number) => 8 + 0.1 * k, verifyMs: (k: number) => 30 + 0.4 * k };

const PAYING: Record<string, World> = {
  "good drafts": world(() => 0.8),
  "excellent drafts that fade with depth": world((d) => 0.95 * 0.97 ** d),
  "poor drafts": world(() => 0.5),
  "near certainty": world(() => 0.98, { verifyMs: (k) => 5 + 0.1 * k }),
  "rows that cost much": world(() => 0.9, { verifyMs: (k) => 5 + 2 * k }),
  "drafts that hardly pay": world(() => 0.45, { draftMs: () => 3, verifyMs: (k) => 5 + 0.2 * k }),
  "a small pair on a CPU": world(() => 0.75, small),
  "a small pair that gains little": world(() => 0.65, small),
  "a small pair, fading": world((d) => 0.85 * 0.93 ** d, small),
  "a small pair whose drafter reads first": world(() => 0.75, reading),
  "a large target": world(() => 0.8, large),
};
const HOPELESS: Record<string, World> = {
  "drafts that never fit": world(() => 0),
  "drafts that cost more than they bring": world(() => 0.15, { draftMs: () => 4 }),
  "a small pair with poor drafts": world(() => 0.3, small),
  "a small pair just below break-even": world(() => 0.45, small),
  "a drafter that reads first, and never fits": world(() => 0, reading),
  "a drafter that reads first, sampled text": world((d) => (d === 1 ? 0.3 : 0.45), reading),
  "a drafter that reads first, just below break-even": world(() => 0.45, reading),
  "drafts as dear as the target": world(() => 0.6, { draftMs: (k) => 10 + k }),
};
/** One generation of 6,000 tokens, and the same in prompts of 128. */
const SHAPES = [{ tokens: 6000 }, { tokens: 6000, perPrompt: 128 }];
const SEEDS = [1, 2, 3, 4, 5, 6];

const runs = (make: () => LengthController, in_: World, shape: { tokens: number; perPrompt?: number }) =>
  SEEDS.flatMap((seed) => simulate(make(), in_, { ...shape, seed }));

describe("in a simulated world", () => {
  it.each(Object.keys(PAYING))("%s: within 5 %% of the best fixed length", (name) => {
    const best = bestFixed(PAYING[name], kMax);
    expect(best.k).toBeGreaterThan(0);
    for (const shape of SHAPES) {
      const fixed = runs(() => createFixedLength(best.k), PAYING[name], shape);
      expect(speed(runs(createCostAware, PAYING[name], shape)) / speed(fixed)).toBeGreaterThan(0.95);
    }
  });

  it.each(Object.keys(HOPELESS))("%s: at least 0.97 of plain decoding", (name) => {
    expect(bestFixed(HOPELESS[name], kMax).k).toBe(0);
    for (const shape of SHAPES)
      expect(speed(runs(createCostAware, HOPELESS[name], shape)) / rateOf(0, HOPELESS[name])).toBeGreaterThan(0.97);
  });

  it("never loses much more than the account allows, whatever the drafter and the machine", () => {
    const line = fc.tuple(fc.double({ min: 0.1, max: 10, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(
        line,
        line,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.8, max: 1, noNaN: true }),
        fc.integer(),
        ([d0, d1], [v0, v1], first, fade, seed) => {
          const any = world((depth) => first * fade ** depth, {
            draftMs: (k) => d0 + d1 * k,
            verifyMs: (k) => v0 + v1 * k,
          });
          const rounds = simulate(createCostAware(), any, { tokens: 2000, seed, noisy: false });
          const lost = rounds.reduce((sum, { tokens, ms }) => sum + ms / any.verifyMs(0, 0) - tokens, 0);
          // The credit at the start, the debt, the share of the plain rounds, a probe in maxWait of them, and the longest round.
          const dearest = Math.max(...rounds.map(({ ms }) => ms)) / any.verifyMs(0, 0);
          expect(lost).toBeLessThan(
            14 + rounds.length * (COST_AWARE_DEFAULTS.probeShare + dearest / maxWait) + 2 * dearest,
          );
        },
      ),
      { numRuns: 300, endOnFailure: true },
    );
  });

  it("settles around the best length", () => {
    const best = bestFixed(PAYING["good drafts"], kMax);
    const rounds = simulate(createCostAware(), PAYING["good drafts"], { tokens: 8000, seed: 5 });
    expect(Math.abs(median(rounds.slice(200)) - best.k)).toBeLessThanOrEqual(2);
  });

  it("stops drafting where nothing is accepted, and probes seldom", () => {
    const rounds = simulate(createCostAware(), HOPELESS["drafts that never fit"], { tokens: 1000, seed: 1 });
    const drafted = rounds.flatMap(({ length }, i) => (length > 0 ? [i] : []));
    expect(drafted.length).toBeLessThan(25);
    const gaps = drafted.slice(1).map((round, i) => round - drafted[i]);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(maxWait + 1);
  });
});

const median = (rounds: readonly SimulatedRound[]) =>
  rounds.map(({ length }) => length).sort((a, b) => a - b)[rounds.length >> 1];
describe("a change of regime", () => {
  it("acceptance goes away and comes back", () => {
    const changing = world((_, round) => (round >= 300 && round < 1100 ? 0 : 0.85));
    const all = SEEDS.map((seed) => simulate(createCostAware(), changing, { tokens: 9000, seed }));
    for (const rounds of all) {
      expect(rounds.slice(100, 300).filter(({ length }) => length === 0).length).toBeLessThan(6);
      expect(rounds.slice(360, 1100).filter(({ length }) => length > 0).length).toBeLessThan(30);
      const back = rounds.findIndex(({ length }, i) => i >= 1100 && length > 0);
      expect(back).toBeLessThanOrEqual(1100 + maxWait + 1);
    }
    // The turn to the worse included.
    expect(speed(all.flatMap((run) => run.slice(300, 1100))) * changing.verifyMs(0, 300)).toBeGreaterThan(0.96);
    expect(speed(all.flatMap((run) => run.slice(1300))) / bestFixed(changing, kMax).rate).toBeGreaterThan(0.95);
  });
  it("rows become dear and cheap again: the length follows", () => {
    const dear = (round: number) => round >= 500 && round < 1000;
    const changing = world(() => 0.85, { verifyMs: (k, round) => 5 + (dear(round) ? 2 : 0.1) * k });
    const lengths = [0, 500, 1000].map((round) => bestFixed(changing, kMax, round).k);
    expect(lengths[0]).toBeGreaterThan(3 * lengths[1]);
    const all = SEEDS.map((seed) => simulate(createCostAware(), changing, { tokens: 9000, seed }));
    for (const [from, to] of [
      [200, 500],
      [700, 1000],
      [1200, 1500],
    ]) {
      const best = bestFixed(changing, kMax, from);
      const rounds = all.flatMap((run) => run.slice(from, to));
      expect(Math.abs(median(rounds) - best.k)).toBeLessThanOrEqual(best.k / 2);
      expect(speed(rounds) / best.rate).toBeGreaterThan(0.93);
    }
  });
  it("prompts of both kinds in turn: each is treated as what it is", () => {
    let prompt = -1;
    const mixed = world(() => (prompt % 2 === 0 ? 0.85 : 0.02));
    const inner = createCostAware();
    const controller: LengthController = {
      name: "counting",
      begin() {
        prompt++;
        inner.begin();
      },
      next: (request) => inner.next(request),
      observe: (round) => inner.observe(round),
    };
    const rounds = simulate(controller, mixed, { tokens: 16_000, perPrompt: 400, seed: 1 });
    const plain = rateOf(0, mixed);
    expect(speed(rounds)).toBeGreaterThan(1.25 * plain);
  });
});

describe("single decisions", () => {
  const round = (length: number, accepted: number, draftMs = length > 0 ? 2 : 0, verifyMs = 5) => ({
    length,
    drafted: length,
    generatedLength: length,
    accepted,
    rows: length + 1,
    draftMs,
    verifyMs,
  });
  /** Rounds of a loop that cuts to `cut` and accepts at most `accept`; the lengths it was asked for. */
  const play = (controller: LengthController, rounds: number, accept: number, { cut = 1000, ms = [2, 5] } = {}) =>
    Array.from({ length: rounds }, () => {
      const wanted = controller.next({ limit: 1000 });
      const k = Math.min(wanted, cut);
      controller.observe(round(k, Math.min(k, accept), k > 0 ? ms[0] : 0, ms[1]));
      return wanted;
    });

  it("begins with `start`, or less where less fits, twice; then measures a plain round", () => {
    const controller = createCostAware({ start: 5 });
    expect([controller.next({ limit: 100 }), controller.next({ limit: 3 }), controller.next({ limit: 0 })]).toEqual([
      5, 3, 0,
    ]);
    expect(play(controller, 3, 99)).toEqual([5, 5, 0]);
  });
  it("never exceeds the limit or kMax, never more than doubles, and asking changes nothing", () => {
    const controller = createCostAware({ kMax: 10 });
    const lengths = play(controller, 20, 99);
    expect(lengths.slice(0, 6)).toEqual([4, 4, 0, 8, 10, 10]);
    expect(controller.next({ limit: 100 })).toBe(10);
    expect(controller.next({ limit: 7 })).toBe(7);
    expect(controller.next({ limit: 100 })).toBe(10);
  });
  it("learns from the length that was really asked", () => {
    // Cut to 2 every time: depth 3 and beyond stay as good as depth 2, and no more than twice that is tried.
    const controller = createCostAware();
    play(controller, 50, 99, { cut: 2 });
    expect(controller.next({ limit: 100 })).toBe(4);
  });
  it("begin keeps costs, account and a little of the acceptance", () => {
    const controller = createCostAware();
    play(controller, 60, 0);
    controller.begin();
    expect(play(controller, 60, 0).filter((k) => k > 0).length).toBeLessThan(3);
    const good = createCostAware();
    play(good, 60, 3);
    good.begin();
    expect(good.next({ limit: 100 })).toBeGreaterThan(2);
    // Ten rounds' worth: a bad prompt is noticed at once.
    expect(
      play(good, 40, 0)
        .slice(-10)
        .filter((k) => k > 0).length,
    ).toBeLessThan(3);
  });
  it("a clock that stands still makes the longest draft free", () => {
    const controller = createCostAware();
    play(controller, 10, 99, { ms: [0, 0] });
    expect(controller.next({ limit: 100 })).toBe(kMax);
  });
  it("stops where the estimates go on being wrong, and still looks again", () => {
    // A loop that never drafts more than 8: 16 would pay, so the estimates say, and 8 costs eleven plain rounds for nine tokens.
    const controller = createCostAware();
    const lengths = play(controller, 1000, 99, { cut: 8, ms: [30, 3] });
    const drafted = lengths.flatMap((k, i) => (k > 0 ? [i] : []));
    expect(drafted.length).toBeLessThan(25);
    // Probes in any case: after maxWait plain rounds, then after twice as many, up to eight times.
    const gaps = drafted.slice(1).map((at, i) => at - drafted[i] - 1);
    expect(Math.max(...gaps)).toBeGreaterThanOrEqual(2 * maxWait);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(8 * maxWait);
    // Once drafts are cheap the next probes find out.
    expect(play(controller, 8 * maxWait + 200, 99, { ms: [1, 3] }).at(-1)).toBe(kMax);
  });
  it("one long pause in the first measurements does no lasting harm", () => {
    for (const at of [0, 1, 2, 3, 4]) {
      const controller = createCostAware();
      const lengths: number[] = [];
      for (let i = 0; i < 60; i++) {
        const k = controller.next({ limit: 1000 });
        const pause = i === at ? 20 : 1;
        controller.observe(round(k, Math.min(k, 6), k > 0 ? 2 * pause : 0, (5 + 0.3 * k) * pause));
        lengths.push(k);
      }
      expect(lengths.slice(20).filter((k) => k >= 4 && k <= 9).length).toBeGreaterThan(33);
    }
  });
});

it("what was learnt outlives a generation: short prompts are not probed anew", () => {
  const controller = createCostAware();
  const drafts = (prompts: number) =>
    simulate(controller, HOPELESS["a drafter that reads first, and never fits"], {
      tokens: 64 * prompts,
      perPrompt: 64,
      seed: 3,
    }).filter(({ length }) => length > 0).length;
  expect(drafts(20)).toBeLessThan(20);
  expect(drafts(200)).toBeLessThan(100);
});

describe("bad input", () => {
  it.each<[string, object]>([
    ["kMax 0", { kMax: 0 }],
    ["start above kMax", { kMax: 4, start: 5 }],
    ["a certain prior", { prior: 1 }],
    ["no forgetting", { keepAcceptance: 1 }],
    ["keepCost NaN", { keepCost: Number.NaN }],
    ["no share", { probeShare: 0 }],
    ["no wait", { maxWait: 0 }],
    ["an unknown option", { kmax: 4 }],
  ])("refuses %s", (_, options) => {
    expect(() => createCostAware(options as CostAwareOptions)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });
  it("refuses a limit and a round that are no numbers", () => {
    const controller = createCostAware();
    expect(() => controller.next({ limit: Number.NaN })).toThrow(expect.objectContaining({ code: "ERR_CONTRACT" }));
    expect(() =>
      controller.observe({ length: 3, drafted: 3, generatedLength: 3, accepted: 1, rows: 4, draftMs: -1, verifyMs: 2 }),
    ).toThrow(expect.objectContaining({ code: "ERR_CONTRACT" }));
    expect(controller.next({ limit: 100 })).toBe(start);
  });
});
