import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readSection } from "../src/benchmarks-write.ts";
import { HELD_OUT, readPrompts } from "../src/prompts.ts";
import { writeSection } from "../src/report-section.ts";
import { writeResult } from "../src/result-file.ts";
import { speedTables } from "../src/speed-markdown.ts";
import { measureSpeed } from "../src/speed-measure.ts";
import { openSuite, type Suite, takeFirst } from "../src/suite.ts";
import { corrupted } from "./corrupted.ts";
import { honest, pairOver } from "./fake-pair.ts";

const suite: Suite = {
  name: "letters",
  chat: false,
  prompts: ["abc", "bcd", "xy"].map((text, i) => ({ category: i < 2 ? "three" : "two", text })),
};

describe("speed", () => {
  test("an honest target: the issue's fields, every prompt counted once, categories apart", async () => {
    const { result, trials } = await measureSpeed(pairOver(honest), suite, { maxTokens: 20, repeats: 2 });
    expect(result).toMatchObject({
      pair: "fake",
      suite: "letters",
      prompts: 3,
      repeats: 2,
      tokens: 120,
      identical: true,
    });
    expect(result.methods.map(({ name }) => name)).toEqual(["promptLookup", "ngram", "diffuspec"]);
    expect(result.missing.map(({ name }) => name)).toEqual(["recycling", "dlmArgmax", "everyRound"]);
    expect(trials).toHaveLength(6);
    for (const row of result.methods) {
      const { draft, search, verify, rest } = row.shares;
      expect(draft + search + verify + rest).toBeCloseTo(1, 2);
      expect(row.speedup).toBeCloseTo(row.tokensPerSecond / result.arExact.tokensPerSecond, 2);
      expect(row.meanAcceptedTokens).toBeGreaterThan(2);
      expect(Object.values(row.lengths).reduce((a, b) => a + b)).toBe(row.rounds);
      expect(row.speedupInterval[0]).toBeLessThanOrEqual(row.speedupInterval[1]);
    }
    expect(result.categories.map(({ category, prompts }) => [category, prompts])).toEqual([
      ["three", 2],
      ["two", 1],
    ]);
    expect(speedTables(result)).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("a result file becomes a section with a plot", async () => {
    const folder = mkdtempSync(join(tmpdir(), "diffuspec-speed-"));
    const { result, trials } = await measureSpeed(pairOver(honest), suite, { maxTokens: 20 });
    writeResult(join(folder, "speed.json"), "speed", result, { trials });
    const out = join(folder, "benchmarks.md");
    const written = writeSection(out, readSection(join(folder, "speed.json")));
    expect(written).toEqual([out, join(folder, "benchmarks", "fake-letters-categories.svg")]);
    expect(readFileSync(out, "utf8")).toContain("![Speed-up by category](benchmarks/fake-letters-categories.svg)");
    expect(readFileSync(written[1]!, "utf8")).toContain("three");
    writeResult(join(folder, "other.json"), "magic" as never, result);
    expect(() => readSection(join(folder, "other.json"))).toThrow('its kind is "magic"');
    rmSync(folder, { recursive: true });
  });

  test("a corrupted verifier turns identical false, and the table says so", async () => {
    const { result } = await measureSpeed(pairOver(corrupted(honest)), suite, { maxTokens: 20 });
    expect(result.identical).toBe(false);
    expect(speedTables(result)).toContain("NOT IDENTICAL");
  });

  test("a limit of time ends a run between two prompts, and never before the first", async () => {
    const { result } = await measureSpeed(pairOver(honest), suite, { maxTokens: 20, stopAtMs: 0 });
    expect(result.prompts).toBe(1);
  });
});

describe("the suites", () => {
  test("code has six categories of ten, instructions six of four, in turns and without doubles", () => {
    for (const [chat, name, each] of [
      [false, "code", 10],
      [true, "instructions", 4],
    ] as const) {
      const own = openSuite({}, chat);
      expect(own).toMatchObject({ name, chat });
      const first = own.prompts.slice(0, 6).map(({ category }) => category);
      expect(new Set(first).size).toBe(6);
      for (const category of first) expect(own.prompts.filter((p) => p.category === category)).toHaveLength(each);
      expect(new Set(own.prompts.map(({ text }) => text)).size).toBe(6 * each);
    }
  });

  test("no prompt of our own is one of the packages'", () => {
    const known = readPrompts(HELD_OUT);
    for (const { text } of openSuite({}, false).prompts) expect(known.every((one) => !one.includes(text))).toBe(true);
  });

  test("every file of our own says where it is from", () => {
    for (const name of ["code", "instructions"]) {
      const file = fileURLToPath(new URL(`../prompts/${name}.json`, import.meta.url));
      expect(JSON.parse(readFileSync(file, "utf8")).origin).toContain("Written for this repository");
    }
  });

  test("other prompts keep their order; two suites at once are refused", () => {
    const held = openSuite({ prompts: HELD_OUT }, false);
    expect(held).toMatchObject({ name: "held-out", chat: false });
    expect(takeFirst(held, 2).prompts.map(({ text }) => text)).toEqual(readPrompts(HELD_OUT).slice(0, 2));
    expect(() => openSuite({ prompts: HELD_OUT, data: "x" }, false)).toThrow("two suites");
  });
});
