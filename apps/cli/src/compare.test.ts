import { PassThrough } from "node:stream";
import type { CompletionResult, Model } from "diffuspec";
import { expect, test } from "vitest";
import { runCli } from "./cli.ts";
import { firstDifference } from "./compare.ts";

test.each([
  [[1, 2, 3], [1, 2, 3], -1],
  [[1, 2, 3], [1, 9, 3], 1],
  [[1, 2], [1, 2, 3], 2],
  [[], [], -1],
])("%j and %j differ at %i", (a, b, at) => {
  expect(firstDifference(Int32Array.from(a), Int32Array.from(b))).toBe(at);
});

/** A model whose drafts change the output: what --compare must never let pass. */
function lyingModel(): Model {
  const result = (last: number) =>
    ({
      text: "x",
      ids: Int32Array.of(5, last),
      finishReason: "length",
      stats: { tokensPerSecond: 10 },
    }) as CompletionResult;
  return {
    info: { model: "lying", drafter: "ngram" },
    complete: async (_: unknown, options: { drafter?: string }) => result(options.drafter === "none" ? 6 : 7),
    dispose: async () => {},
  } as unknown as Model;
}

test("tokens that differ make --compare fail", async () => {
  const stdout = new PassThrough();
  const code = await runCli(["generate", "x", "--compare", "--json"], {
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    env: {},
    signal: new AbortController().signal,
    load: async () => lyingModel(),
  });
  expect(code).toBe(1);
  expect(JSON.parse(String(stdout.read()))).toMatchObject({ identical: false, firstDifference: 1 });
});
