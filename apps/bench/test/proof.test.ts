import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Verifier } from "@diffuspec/contracts";
import { openSession } from "@diffuspec/spec-loop";
import { createFakeVerifier, oracleDrafter } from "@diffuspec/testkit";
import { createEngine, DRAFTER_NAMES, type Engine } from "diffuspec/engine";
import { afterAll, expect, test } from "vitest";
import { readArguments } from "../src/arguments.ts";
import { readSection } from "../src/benchmarks-write.ts";
import { circumstances } from "../src/circumstances.ts";
import { allModes, allWays } from "../src/proof-grid.ts";
import { proofTables } from "../src/proof-markdown.ts";
import { summariseProof } from "../src/proof-summary.ts";
import { type ProofRecord, prove } from "../src/prove.ts";
import { writeSection } from "../src/report-section.ts";
import { writeResult } from "../src/result-file.ts";
import { openLog } from "../src/run-log.ts";
import { encodeSuite, openSuite, takeFirst } from "../src/suite.ts";
import { corrupted } from "./corrupted.ts";

const folder = mkdtempSync(join(tmpdir(), "diffuspec-proof-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const sitting = circumstances();
const logOf = (total: number, file?: string) => openLog<ProofRecord>({ file, settings: { total }, sitting, total });

test("a part of the grid on the beginning of a completion", { timeout: 300_000 }, async () => {
  const all = allWays(DRAFTER_NAMES);
  // 6 drafters, and 2 with the pool and with trees, under 7 controllers; with each S of 2, 4 and 8 three chains, two pools and two trees
  // under 3
  expect(all).toHaveLength(6 * 7 + 2 * 2 * 7 + 3 * (3 + 2 * 2) * 3);
  expect(new Set(all.map((way) => JSON.stringify(way))).size).toBe(all.length);

  const ways = all.filter(
    ({ steps, controller }) => (steps === 1 || steps === 4) && (controller === "adl" || controller === "cost-aware"),
  );
  const modes = allModes(5).filter((_, i) => i % 2 === 0);
  const plain = await createEngine({ drafter: "none" });
  const log = logOf(ways.length * modes.length);
  await prove({
    plain,
    open: (options) => createEngine({ drafter: "none", ...options }),
    ways,
    modes,
    prompts: encodeSuite(takeFirst(openSuite({}, false), 1), plain),
    maxTokens: 10,
    log,
  });
  await plain.dispose();
  const summary = summariseProof(log.records, ways.length * modes.length);
  expect(summary.differing).toEqual([]);
  const completions = (6 + 2 * 2 + 3 + 2 * 2) * 2 * 2;
  expect(summary).toMatchObject({
    identical: true,
    complete: true,
    combinations: completions / 2,
    modes: 2,
    completions,
    equal: completions,
  });
});

test("--shard takes a part of a whole", () => {
  const read = (text: string) => readArguments(["--shard", text], ["shard"]).shard;
  expect(read("2/3")).toEqual({ index: 2, of: 3 });
  for (const wrong of ["0/2", "3/2", "1", "a/b", "1/2/3", ""]) expect(() => read(wrong)).toThrow("it takes I/N");
});

test("a model without a diffusion drafter has a smaller grid", () => {
  const ways = allWays(["prompt-lookup", "recycling", "none"]);
  expect(new Set(ways.map(({ drafter }) => drafter))).toEqual(new Set(["prompt-lookup", "recycling"]));
  expect(ways.every(({ steps, shape }) => steps === 1 && shape === "chain")).toBe(true);
});

const honest = createFakeVerifier({ vocabularySize: 50, seed: 3, contextLength: 300, eosIds: [] });

/** Drafts with "ngram" over `drafted`, and counts its sessions. */
function fakeEngine(drafted: Verifier = honest, opened: string[] = []): Engine {
  return {
    openSession: async ({ drafter }: { drafter: string }) => {
      opened.push(drafter);
      const session = await openSession(
        drafter === "none" ? { verifier: honest } : { verifier: drafted, drafter: oracleDrafter(honest.model) },
      );
      return { ...session, generate: (prompt: Int32Array) => session.generate(prompt, { maxTokens: 20 }) };
    },
    dispose: async () => {},
  } as unknown as Engine;
}

const small = {
  ways: [
    { drafter: "ngram", controller: "adl", steps: 1, shape: "chain" },
    { drafter: "ngram", controller: { fixed: 4 }, steps: 1, shape: "chain" },
  ],
  modes: [
    { name: "greedy", sampling: {} },
    { name: "warm", sampling: {} },
  ],
  prompts: [Int32Array.of(1, 2, 3), Int32Array.of(4)],
  maxTokens: 20,
} as const;

test("a corrupted verifier is found, with the place, and the report says so", async () => {
  const log = logOf(4);
  await prove({ ...small, plain: fakeEngine(), open: async () => fakeEngine(corrupted(honest)), log });
  const summary = summariseProof(log.records, 4);
  expect(summary).toMatchObject({ identical: false, complete: true, completions: 8 });
  expect(summary.equal).toBe(8 - summary.differing.length);
  expect(summary.differing[0]).toEqual({
    ...{ drafter: "ngram", controller: "adl", steps: 1, shape: "chain", sampler: "greedy" },
    ...{ prompt: 1, at: 9 }, // the session's fifth pass, the first one touched, is there
  });
  const facts = { pair: "fake", suite: "code", prompts: 2, maxTokens: 20, seed: 5, precision: "int8", threads: 1 };
  expect(proofTables({ ...facts, ...summary, sittings: [sitting] })).toContain(`${summary.differing.length} DIFFER`);
});

test("a proof in pieces is the proof in one, and proves nothing twice", async () => {
  const file = join(folder, "log.jsonl");
  const opened: string[] = [];
  const piece = (stopAtMs?: number) => {
    const log = logOf(4, file);
    // a killed piece: its engine fails in the third session of a drafter
    const drafting = () => opened.filter((drafter) => drafter !== "none").length;
    const engine = fakeEngine(honest, opened);
    const open = async () => ({
      ...engine,
      openSession: (choice?: object) => {
        if (stopAtMs === undefined && drafting() === 2) throw new Error("killed");
        return engine.openSession(choice as never);
      },
    });
    return prove({ ...small, plain: fakeEngine(honest, opened), open, log, stopAtMs }).then(() => log.records);
  };
  await expect(piece()).rejects.toThrow("killed");
  expect(await piece(0)).toHaveLength(2); // no time for more
  const records = await piece(Number.POSITIVE_INFINITY);
  expect(records.map(({ controller, sampler }) => [controller, sampler])).toEqual([
    ["adl", "greedy"],
    ["adl", "warm"],
    ["fixed 4", "greedy"],
    ["fixed 4", "warm"],
  ]);
  expect(opened.filter((drafter) => drafter !== "none")).toHaveLength(4);
  expect(() => openLog({ file, settings: { total: 5 }, sitting, total: 5 })).toThrow(/its total is 4, here 5/);

  const shards = join(folder, "shards.jsonl");
  const [first, second] = [logOf(4, shards), logOf(4, shards)]; // two processes at once
  for (const [log, index] of [
    [first, 1],
    [second, 2],
  ] as const) {
    await prove({ ...small, plain: fakeEngine(), open: async () => fakeEngine(), log, shard: { index, of: 2 } });
    expect(log.records).toHaveLength(2);
  }
  expect(summariseProof(logOf(4, shards).records, 4)).toMatchObject({ complete: true, equal: 8 });

  const summary = summariseProof(records, 4);
  expect(summary).toMatchObject({
    identical: true,
    complete: true,
    left: 0,
    combinations: 2,
    completions: 8,
    equal: 8,
  });
  const facts = { pair: "fake", suite: "code", prompts: 2, maxTokens: 20, seed: 5, precision: "int8", threads: 1 };
  const result = { ...facts, ...summary, sittings: [sitting, sitting] };
  writeResult(join(folder, "proof.json"), "proof", result, { records });
  const out = join(folder, "benchmarks.md");
  writeSection(out, readSection(join(folder, "proof.json")));
  const text = readFileSync(out, "utf8");
  for (const words of ["## Proof: fake", "All 8 equal", "controller: fixed 4", "sampler: warm"])
    expect(text).toContain(words);
  expect(text).not.toMatch(/NaN|undefined|Not complete/);
  expect(proofTables({ ...result, ...summariseProof(records.slice(1), 4) })).toContain("Not complete: 1 ");
});
