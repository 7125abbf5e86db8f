import { join } from "node:path";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { anatomyTables } from "../src/anatomy-markdown.ts";
import { anatomyRow, measureAnatomy, type WatchedRun } from "../src/anatomy-measure.ts";
import { anatomySection } from "../src/report-kinds.ts";
import { openSuite, takeFirst } from "../src/suite.ts";
import { twinOf } from "../src/twin.ts";

test("a row counts the passes of decoding alone, drafter and target apart", () => {
  const run = {
    rounds: 3,
    decodeMs: 20,
    draftMs: 6,
    searchMs: 1,
    verifyMs: 12,
    begunAt: 65,
    endedAt: 100,
    ids: new Int32Array(5),
  };
  const bare = { ...run, decodeMs: 16, draftMs: 4, searchMs: 1, verifyMs: 10 };
  const pass = (graph: string, begun: number, callMs: number, handOverMs: number) => {
    return { graph, begun, callMs, handOverMs, asideMs: handOverMs + 0.25, outputBytes: 100 };
  };
  const passes = [
    pass("target.onnx", 60, 9, 1), // another run's
    pass("target.onnx", 70, 9, 1), // prefill
    pass("drafter.onnx", 81, 3, 0.5),
    pass("target.onnx", 86, 4, 0.25),
    pass("target.onnx", 92, 4, 0.25),
    pass("target.onnx", 101, 9, 1), // another run's
  ];
  const row = anatomyRow("x", [bare as never], [run as never as WatchedRun], passes, new Set(["drafter.onnx"]));
  expect(row).toMatchObject({
    rounds: 2,
    tokens: 5,
    round: { draft: 2, search: 0.5, verify: 5, rest: 0.5 },
    watchedRound: { draft: 2.625, search: 0.5, verify: 5.5, rest: 0.5 },
    draft: { passes: 0.5, model: 1.25, handOver: 0.25, script: 1.125, outputBytes: 50 },
    verify: { passes: 1, model: 3.75, handOver: 0.25, script: 1.5, outputBytes: 100 },
    nonModelShare: 0.452, // 1 - (11 - 1) / (20 - 1.75)
  });
});

test("a twin gives outputs of the same sizes, and nothing else", async () => {
  const path = join(modelDirectory, "target.int8.chain.onnx");
  const real = await InferenceSession.create(path, { logSeverityLevel: 4 });
  const fetch = ["new_kv", "argmax", "tap_output"];
  const twin = await InferenceSession.create(twinOf(real, fetch), { logSeverityLevel: 4 });
  const past = new Float32Array(3 * 64);
  const feeds = {
    ...Object.fromEntries(
      real.inputNames.filter((name) => /^past_\d/.test(name)).map((name) => [name, new Tensor(past, [1, 1, 3, 64])]),
    ),
    input_ids: new Tensor("int32", Int32Array.of(5, 6, 7), [1, 3]),
    past_length: new Tensor("int64", BigInt64Array.of(2n), [1]),
    rows: new Tensor("int32", Int32Array.of(0, 2), [2]),
  };
  // room for what is past and what comes, in the real graph alone
  const room = Object.fromEntries(
    real.inputNames
      .filter((name) => /^past_\d/.test(name))
      .map((name) => [name, new Tensor(new Float32Array(64 * 64), [1, 1, 64, 64])]),
  );
  const expected = await real.run({ ...feeds, ...room }, fetch);
  const found = await twin.run(feeds, fetch);
  expect([...twin.outputNames].sort()).toEqual([...fetch].sort());
  for (const name of fetch) {
    expect(found[name]).toMatchObject({ type: expected[name]!.type, dims: expected[name]!.dims });
    expect((found[name]!.data as Float32Array).every((value) => value === 0)).toBe(true);
  }
  await real.release();
  await twin.release();
  const odd = { name: "odd", isTensor: true, type: "float32", shape: ["Q"] } as const;
  expect(() => twinOf({ inputMetadata: real.inputMetadata, outputMetadata: [odd] }, ["odd"])).toThrow("the size Q");
});

test("the embedded pair beside its twins", { timeout: 300_000 }, async () => {
  const suite = (chat: boolean) => takeFirst(openSuite({}, chat), 1);
  const result = await measureAnatomy({ suite, maxTokens: 12 });
  expect(result.identical).toBe(true);
  expect(result.bytesPerId).toBe(2 * 12 * 64 * 4);
  for (const { name, draft, verify, nonModelShare } of result.methods) {
    // on a crowded machine the twin may take longer than the pass, so only their sum is sure to be positive
    expect(verify.model + verify.handOver).toBeGreaterThan(0);
    expect(verify.handOver).toBeGreaterThan(0);
    expect(verify.passes).toBe(1);
    expect(draft.handOver > 0).toBe(name === "everyRound" || draft.passes > 0);
    expect(nonModelShare).toBeGreaterThan(0);
  }
  // two rows of keys, values and logits, however long the context has become
  const exact = result.methods.find(({ name }) => name === "arExact")!;
  expect(exact.verify.outputBytes).toBe(2 * (result.bytesPerId + 4096 * 4));
  // the first draft reads the prompt, in passes of its own
  const { draft, rounds } = result.methods.find(({ name }) => name === "everyRound")!;
  expect(Math.round(draft.passes * rounds)).toBeGreaterThan(rounds);
  expect(anatomySection(result).images.anatomy).not.toMatch(/NaN|undefined|Infinity/);
  expect(anatomyTables(result)).not.toMatch(/NaN|undefined|Infinity/);
});
