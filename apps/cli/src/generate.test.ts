import { PassThrough } from "node:stream";
import type { CompletionResult, Model, Prompt } from "diffuspec";
import { expect, test } from "vitest";
import { runCli } from "./cli.ts";

/** Runs the command over a model that remembers its prompts. */
async function cli(args: readonly string[], { terminal = false } = {}) {
  const prompts: Prompt[] = [];
  const result = { text: "Because.", ids: Int32Array.of(5), finishReason: "stop", stats: { tokensPerSecond: 10 } };
  const model = {
    info: { model: "fake", drafter: "hybrid" },
    complete: async (prompt: Prompt) => {
      prompts.push(prompt);
      return result as CompletionResult;
    },
    async *generate(prompt: Prompt) {
      prompts.push(prompt);
      yield { type: "tokens", text: "Because.", texts: ["Because."], accepted: [false] };
      yield { type: "done", ...result };
    },
    dispose: async () => {},
  } as unknown as Model;
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await runCli(["generate", ...args], {
    stdin: new PassThrough(),
    stdout: Object.assign(stdout, { isTTY: terminal }),
    stderr,
    env: { NO_COLOR: "1" },
    signal: new AbortController().signal,
    load: async () => model,
  });
  return { code, prompts, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

const why = { role: "user", content: "Why?" };

test("--chat makes the prompt a user's message, behind a system message where there is one", async () => {
  expect((await cli(["Why?", "--json"])).prompts).toEqual(["Why?"]);
  expect((await cli(["Why?", "--chat", "--json"])).prompts).toEqual([{ messages: [why] }]);
  const { prompts, out } = await cli(["Why?", "--chat", "--system", "Be brief.", "--json"]);
  expect(prompts).toEqual([{ messages: [{ role: "system", content: "Be brief." }, why] }]);
  expect(JSON.parse(out)).toMatchObject({ prompt: "Why?", text: "Because." });
});

test("--chat --compare asks both sides the same", async () => {
  const { code, prompts } = await cli(["Why?", "--chat", "--compare", "--json"]);
  expect(code).toBe(0);
  expect(prompts.length).toBeGreaterThan(2);
  for (const prompt of prompts) expect(prompt).toEqual({ messages: [why] });
});

test("on a terminal the prompt stands in front of a text, and not in front of an answer", async () => {
  expect((await cli(["Why?"], { terminal: true })).out).toBe("Why?Because.\n");
  expect((await cli(["Why?", "--chat"], { terminal: true })).out).toBe("Because.\n");
});

test("--system without --chat is bad usage", async () => {
  const { code, err, prompts } = await cli(["Why?", "--system", "Be brief."]);
  expect({ code, prompts }).toEqual({ code: 2, prompts: [] });
  expect(err).toContain("--system needs --chat");
});
