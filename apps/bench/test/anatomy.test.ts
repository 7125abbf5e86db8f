import { expect, test } from "vitest";
import { anatomyTables } from "../src/anatomy-markdown.ts";
import { anatomyRow, measureAnatomy, type WatchedRun } from "../src/anatomy-measure.ts";
import { readProfile } from "../src/profile.ts";
import { anatomySection } from "../src/report-kinds.ts";
import { openSuite, takeFirst } from "../src/suite.ts";

test("a pass has the kernels that were written before it, each half a microsecond longer than cut", async () => {
  const events = [
    { cat: "Session", name: "session_initialization", dur: 900 },
    { cat: "Node", name: "a_kernel_time", dur: 100 },
    { cat: "Node", name: "a_fence_before", dur: 100 },
    { cat: "Node", name: "b_kernel_time", dur: 50 },
    { cat: "Session", name: "SequentialExecutor::Execute", dur: 190 },
    { cat: "Session", name: "model_run", dur: 200 },
    { cat: "Node", name: "a_kernel_time", dur: 10 },
    { cat: "Session", name: "model_run", dur: 20 },
  ];
  const lines = events.map(
    ({ cat, name, dur }) =>
      `{"cat" : "${cat}","pid" :1,"tid" :1,"dur" :${dur},"ts" :3,"ph" : "X","name" :"${name}","args" : {}},`,
  );
  expect(await readProfile(["[", ...lines, "]"])).toEqual([
    { runtimeMs: 0.2, kernelMs: 0.151 },
    { runtimeMs: 0.02, kernelMs: 0.0105 },
  ]);
});

test("a row counts the passes of decoding alone, drafter and target apart", () => {
  const run = {
    rounds: 2,
    decodeMs: 20,
    draftMs: 6,
    searchMs: 1,
    verifyMs: 12,
    begunAt: 65,
    endedAt: 100,
    ids: new Int32Array(5),
  };
  const bare = { ...run, decodeMs: 16, draftMs: 4, searchMs: 1, verifyMs: 10 };
  const pass = (graph: string, begun: number, callMs: number, runtimeMs: number, kernelMs: number) => {
    return { graph, begun, callMs, runtimeMs, kernelMs };
  };
  const passes = [
    pass("target.onnx", 60, 9, 9, 9), // another run's
    pass("target.onnx", 70, 9, 9, 9), // prefill
    pass("drafter.onnx", 81, 4, 3, 2),
    pass("target.onnx", 86, 5, 4.5, 4),
    pass("target.onnx", 92, 5, 4.5, 4),
    pass("target.onnx", 101, 9, 9, 9), // another run's
  ];
  const row = anatomyRow("x", [bare as never], [run as never as WatchedRun], passes, new Set(["drafter.onnx"]));
  expect(row).toMatchObject({
    rounds: 2,
    tokens: 5,
    round: { draft: 2, search: 0.5, verify: 5, rest: 0.5 },
    draft: { passes: 0.5, kernels: 1, runtime: 0.5, binding: 0.5, script: 1 },
    verify: { passes: 1, kernels: 4, runtime: 0.5, binding: 0.5, script: 1 },
    nonModelShare: 0.375,
    profiledNonModelShare: 0.5,
  });
});

test("the embedded pair under the profiler", { timeout: 300_000 }, async () => {
  const suite = (chat: boolean) => takeFirst(openSuite({}, chat), 1);
  const result = await measureAnatomy({ suite, maxTokens: 12 });
  expect(result.identical).toBe(true);
  for (const { name, draft, verify, profiledNonModelShare } of result.methods) {
    expect(verify.kernels).toBeGreaterThan(0);
    expect(verify.passes).toBe(1);
    expect(draft.kernels > 0).toBe(name === "everyRound" || draft.passes > 0);
    expect(profiledNonModelShare).toBeGreaterThan(0);
    expect(profiledNonModelShare).toBeLessThan(1);
  }
  // the first draft reads the prompt, in passes of its own
  const { draft, rounds } = result.methods.find(({ name }) => name === "everyRound")!;
  expect(Math.round(draft.passes * rounds)).toBeGreaterThan(rounds);
  expect(anatomySection(result).images.anatomy).not.toMatch(/NaN|undefined|Infinity/);
  expect(anatomyTables(result)).not.toMatch(/NaN|undefined|Infinity/);
});
