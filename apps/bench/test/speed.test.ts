import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSampler } from "@diffuspec/spec-loop";
import { plainDecode } from "@diffuspec/testkit";
import { describe, expect, test } from "vitest";
import { readArguments } from "../src/arguments.ts";
import { readSection } from "../src/benchmarks-write.ts";
import { PEER_NAMES } from "../src/peers/names.ts";
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

  test("other programs take turns with ours; one that fails does not end the run", async () => {
    const sampler = createSampler({}, 50);
    const asked: string[] = [];
    /** A millisecond for the prompt, two for every further token; of the last prompt another text. */
    const generate = async (prompt: Int32Array, maxTokens: number) => {
      asked.push([...prompt].join());
      const { tokens } = await plainDecode(honest, prompt, sampler, { maxTokens });
      if (prompt.length === 2) tokens[0] = (tokens[0]! + 1) % 50;
      return { ids: Int32Array.from(tokens), prefillMs: 1, decodeMs: 2 * (tokens.length - 1) };
    };
    const common = { version: "1.2.3", threads: 2, dispose: async () => {} };
    const peers = {
      peers: [
        { ...common, name: "steady", dtype: "q4", generate },
        { ...common, name: "broken", dtype: "q8", generate: () => Promise.reject(new Error("it crashed")) },
      ],
      missing: [{ name: "absent", why: "no binary" }],
    };
    const { result, trials } = await measureSpeed(pairOver(honest), suite, { maxTokens: 20, peers });
    expect(asked).toHaveLength(4); // three prompts behind a warm-up
    expect(result.identical).toBe(true);
    const [steady, broken] = result.peers!;
    expect(steady).toMatchObject({
      ...{ name: "steady", version: "1.2.3", dtype: "q4", threads: 2, answers: 3, failed: 0 },
      ...{ tokensPerSecond: 500, endToEndTokensPerSecond: 512.821, agreement: 0.667 },
    });
    // the fake ar takes a millisecond a completion
    expect(steady!.arOverPeer).toBe(38);
    expect(steady!.diffuspecOverPeer).toBeCloseTo(
      result.methods.find(({ name }) => name === "diffuspec")!.tokensPerSecond / 500,
      2,
    );
    expect(broken).toMatchObject({ answers: 0, failed: 3, tokensPerSecond: null, arOverPeer: null, agreement: null });
    expect(trials[0]!.peers).toEqual({
      steady: { tokens: 20, prefillMs: 1, decodeMs: 38, same: true },
      broken: { failed: "it crashed" },
    });
    const text = speedTables(result);
    for (const words of ["steady 1.2.3, 2 thr.", "fastest of the others is steady", "Not run: absent (no binary)"])
      expect(text).toContain(words);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
    const alone = await measureSpeed(pairOver(honest), suite, { maxTokens: 20 });
    expect(alone.result).not.toHaveProperty("peers");
    expect(alone.trials[0]).not.toHaveProperty("peers");
  });

  test("--peers alone asks for all of them", () => {
    const read = (...argv: string[]) => readArguments(argv, ["pair", "peers", "gguf"]);
    expect(read().peers).toEqual([]);
    expect(read("--peers", "--pair", "x")).toMatchObject({ peers: PEER_NAMES, pair: "x" });
    expect(read("--pair", "x", "--peers").peers).toEqual(PEER_NAMES);
    expect(read("--peers", "node-llama-cpp").peers).toEqual(["node-llama-cpp"]);
    expect(() => read("--peers", "llama")).toThrow(/"llama"; there are all, transformers/);
    expect(() => read("--gguf", "nowhere.gguf")).toThrow("no such file");
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
