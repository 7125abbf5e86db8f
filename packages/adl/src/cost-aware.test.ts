import type { LengthController } from "@diffuspec/contracts";
import { describe, expect, it } from "vitest";
import { COST_AWARE_DEFAULTS, type CostAwareOptions, createCostAware } from "./index.ts";

/** A made-up machine and drafter. Milliseconds are simulated; nothing here looks at a clock. */
interface World {
  /** Acceptance at a depth (from 1), given that the depth before was accepted. */
  accept(depth: number, round: number): number;
  draftMs(k: number): number;
  verifyMs(k: number): number;
}

const world = (accept: World["accept"], parts: Partial<World> = {}): World => ({
  accept,
  draftMs: (k) => 2 + 0.05 * k,
  verifyMs: (k) => 5 + 0.3 * k,
  ...parts,
});

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs rounds with 20 % noise and a hiccup of three times the cost in a hundred rounds. */
function simulate(
  controller: LengthController,
  { accept, draftMs, verifyMs }: World,
  rounds: number,
  seed: number,
  from = 0,
) {
  const random = randomFrom(seed);
  const noise = () => 0.8 + 0.4 * random() + (random() < 0.01 ? 3 : 0);
  const lengths: number[] = [];
  let tokens = 0;
  let ms = 0;
  for (let r = from; r < from + rounds; r++) {
    const k = controller.next({ limit: 1000 });
    let accepted = 0;
    while (accepted < k && random() < accept(accepted + 1, r)) accepted++;
    const spent = { draftMs: k > 0 ? draftMs(k) * noise() : 0, verifyMs: verifyMs(k) * noise() };
    controller.observe({ length: k, drafted: k, generatedLength: k, accepted, rows: k + 1, ...spent });
    lengths.push(k);
    tokens += accepted + 1;
    ms += (k > 0 ? draftMs(k) : 0) + verifyMs(k);
  }
  return { lengths, rate: tokens / ms };
}

function bestRate({ accept, draftMs, verifyMs }: World): { k: number; rate: number } {
  let best = { k: 0, rate: 1 / verifyMs(0) };
  let survival = 1;
  let tokens = 1;
  for (let k = 1; k <= COST_AWARE_DEFAULTS.kMax; k++) {
    survival *= accept(k, 0);
    tokens += survival;
    const rate = tokens / (draftMs(k) + verifyMs(k));
    if (rate > best.rate) best = { k, rate };
  }
  return best;
}

describe("in a simulated world", () => {
  const worlds: Record<string, World> = {
    "good drafts": world(() => 0.8),
    "excellent drafts that fade with depth": world((d) => 0.95 * 0.97 ** d),
    "poor drafts": world(() => 0.5),
    "near certainty": world(() => 0.98, { verifyMs: (k) => 5 + 0.1 * k }),
    "rows that cost much": world(() => 0.9, { verifyMs: (k) => 5 + 2 * k }),
    "drafts that hardly pay": world(() => 0.45, { draftMs: () => 3, verifyMs: (k) => 5 + 0.2 * k }),
    "drafts that never fit": world(() => 0),
    "drafts that cost more than they bring": world(() => 0.15, { draftMs: () => 4 }),
  };
  it.each(Object.keys(worlds))("%s: within 7 %% of the best length known beforehand", (name) => {
    const best = bestRate(worlds[name]);
    for (const seed of [1, 2, 3]) {
      const { rate } = simulate(createCostAware(), worlds[name], 2000, seed);
      expect(rate / best.rate).toBeGreaterThan(0.93);
    }
  });
  it("settles around the best length", () => {
    const best = bestRate(worlds["good drafts"]);
    const { lengths } = simulate(createCostAware(), worlds["good drafts"], 2000, 5);
    const late = lengths.slice(200).sort((a, b) => a - b);
    expect(Math.abs(late[late.length >> 1] - best.k)).toBeLessThanOrEqual(2);
  });
  it("stops drafting where nothing is accepted, and probes ever more seldom", () => {
    const { lengths } = simulate(createCostAware(), worlds["drafts that never fit"], 1000, 1);
    const drafted = lengths.flatMap((k, round) => (k > 0 ? [round] : []));
    expect(drafted.length).toBeLessThan(20);
    const gaps = drafted.slice(1).map((round, i) => round - drafted[i]);
    expect(Math.max(...gaps)).toBe(COST_AWARE_DEFAULTS.maxWait + 1);
    expect(gaps.slice(3)).toEqual(gaps.slice(3).sort((a, b) => a - b));
  });
  it("comes back when acceptance does", () => {
    const changing = world((_, round) => (round < 300 ? 0 : 0.85));
    const { lengths } = simulate(createCostAware(), changing, 700, 3);
    expect(lengths.slice(100, 300).filter((k) => k > 0).length).toBeLessThan(5);
    const back = lengths.findIndex((k, round) => round >= 300 && k > 0);
    expect(back).toBeLessThanOrEqual(300 + COST_AWARE_DEFAULTS.maxWait + 1);
    expect(lengths.slice(back + 10).filter((k) => k === 0).length).toBeLessThan(5);
  });
  it("gives up again when acceptance goes away", () => {
    const changing = world((_, round) => (round < 300 ? 0.85 : 0));
    const { lengths } = simulate(createCostAware(), changing, 600, 3);
    expect(lengths.slice(250, 300).every((k) => k > 0)).toBe(true);
    expect(lengths.slice(360).filter((k) => k > 0).length).toBeLessThan(10);
  });
});

describe("single decisions", () => {
  const round = (length: number, accepted: number, draftMs = 2, verifyMs = 5) => ({
    length,
    drafted: length,
    generatedLength: length,
    accepted,
    rows: length + 1,
    draftMs,
    verifyMs,
  });
  it("begins with `start`, or less where less fits", () => {
    const controller = createCostAware({ start: 5 });
    expect([controller.next({ limit: 100 }), controller.next({ limit: 3 }), controller.next({ limit: 0 })]).toEqual([
      5, 3, 0,
    ]);
  });
  it("never exceeds the limit or kMax, and asking changes nothing", () => {
    const controller = createCostAware({ kMax: 10 });
    for (let i = 0; i < 20; i++) controller.observe(round(10, 10));
    expect(controller.next({ limit: 100 })).toBe(10);
    expect(controller.next({ limit: 4 })).toBe(4);
    expect(controller.next({ limit: 100 })).toBe(10);
  });
  it("learns from the length that was really asked", () => {
    // Cut to 2 by the loop every time: depth 3 and beyond stay as good as depth 2.
    const controller = createCostAware();
    for (let i = 0; i < 50; i++) controller.observe(round(2, 2));
    expect(controller.next({ limit: 100 })).toBe(COST_AWARE_DEFAULTS.kMax);
  });
  it("begin forgets acceptance and keeps the costs", () => {
    const controller = createCostAware();
    for (let i = 0; i < 50; i++) controller.observe(round(8, 0));
    expect(controller.next({ limit: 100 })).toBe(0);
    controller.begin();
    // With the costs gone it would say `start`; with acceptance kept, 0.
    expect([0, COST_AWARE_DEFAULTS.start]).not.toContain(controller.next({ limit: 100 }));
  });
  it("a clock that stands still makes the longest draft free", () => {
    const controller = createCostAware();
    for (let i = 0; i < 5; i++) controller.observe(round(8, 8, 0, 0));
    expect(controller.next({ limit: 100 })).toBe(COST_AWARE_DEFAULTS.kMax);
  });
});

describe("bad input", () => {
  it.each<[string, object]>([
    ["kMax 0", { kMax: 0 }],
    ["start above kMax", { kMax: 4, start: 5 }],
    ["a certain prior", { prior: 1 }],
    ["no forgetting", { keepAcceptance: 1 }],
    ["keepCost NaN", { keepCost: Number.NaN }],
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
    expect(controller.next({ limit: 100 })).toBe(COST_AWARE_DEFAULTS.start);
  });
});
