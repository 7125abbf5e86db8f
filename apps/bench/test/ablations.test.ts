import { afterAll, describe, expect, test } from "vitest";
import { ablationSets } from "../src/ablation-sets.ts";
import { ablationTables } from "../src/ablations-markdown.ts";
import { lengthOrSteps, measureAblations, type SettingRow } from "../src/ablations-measure.ts";
import { loadPair, type Pair } from "../src/pair.ts";
import { ablationsSection } from "../src/report-kinds.ts";
import { openSuite, takeFirst } from "../src/suite.ts";

const names = (maxMasks: number, top: number) =>
  Object.fromEntries(ablationSets({ maxMasks, top }).map((set) => [set.name, set]));

describe("the sets", () => {
  test("go as far as the drafter, and say what they left out", () => {
    const wide = names(32, 16);
    expect(wide.length!.settings.map(({ x }) => x)).toEqual([4, 8, 12, 16, 20, 30]);
    expect(wide.length!.leftOut).toEqual([]);
    const narrow = names(16, 4);
    expect(narrow.length!.settings.map(({ x }) => x)).toEqual([4, 8, 12, 16]);
    expect(narrow.length!.leftOut.map(({ name }) => name)).toEqual(["k = 20", "k = 30"]);
    expect(narrow.candidates!.settings.map(({ x }) => x)).toEqual([1, 2, 4]);
    expect(wide.steps!.settings.map(({ x }) => x)).toEqual([1, 2, 4, 8]);
  });

  test("no two settings of a set share a name", () => {
    for (const { settings } of Object.values(names(32, 16)))
      expect(new Set(settings.map(({ name }) => name)).size).toBe(settings.length);
  });
});

test("length or steps: the set whose ends lie further apart", () => {
  const row = (name: string, speedup: number, meanAcceptedTokens: number) =>
    ({ name, speedup, meanAcceptedTokens }) as SettingRow;
  const length = { name: "length", settings: [row("k = 4", 1, 2), row("k = 8", 2, 3)] };
  const steps = { name: "steps", settings: [row("S = 1", 2, 1), row("S = 8", 0.5, 4)] };
  expect(lengthOrSteps([length, steps])).toMatchObject({
    length: { best: { name: "k = 8" }, worst: { name: "k = 4" }, speedFactor: 2, acceptedFactor: 1.5 },
    steps: { best: { name: "S = 1" }, speedFactor: 4, acceptedFactor: 4 },
    forSpeed: "steps",
    forAccepted: "steps",
  });
  expect(lengthOrSteps([length])).toBeNull();
});

describe("the embedded pair", () => {
  let pair: Pair | undefined;
  afterAll(() => pair?.dispose());

  test("every set runs, is identical, and is told", { timeout: 300_000 }, async () => {
    pair = await loadPair();
    const suite = takeFirst(openSuite({}, false), 1);
    const result = await measureAblations(pair, suite, { maxTokens: 10 });
    expect(result.identical).toBe(true);
    expect(result.sets.map(({ name }) => name)).toEqual(
      ablationSets({ maxMasks: 32, top: 16 }).map(({ name }) => name),
    );
    const parts = result.sets[0]!.settings;
    expect(parts.find(({ name }) => name.includes("length control"))!.byLength.map(({ length }) => length)).toContain(
      8,
    );
    const { images } = ablationsSection(result);
    expect(Object.keys(images)).toEqual(["mat-by-k", "lengths-by-k", "speedup-by-s", "mat-by-s"]);
    for (const svg of Object.values(images)) expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(ablationTables(result)).not.toMatch(/NaN|undefined|Infinity/);
    await expect(measureAblations(pair, suite, { sets: ["magic"], maxTokens: 1 })).rejects.toThrow(
      '"magic"; there are parts',
    );
  });
});
