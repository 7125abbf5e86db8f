import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";

/** The built demo, as `npm run demo` starts it. */
const DEMO = fileURLToPath(new URL("../dist/demo.js", import.meta.url));
const demo = (...args: string[]) =>
  spawnSync(process.execPath, [DEMO, ...args], { encoding: "utf8", timeout: 120_000 });

beforeAll(() => {
  if (!existsSync(DEMO)) throw new Error("apps/bench/dist is missing. Build first: npm run setup");
});

test("--json prints one object and nothing else", () => {
  const { stdout, status } = demo("--json", "--count", "2", "--max-tokens", "24");
  expect(status).toBe(0);
  expect(stdout.trim().split("\n")).toHaveLength(1);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ pair: "tiny-js", prompts: 2, identical: true, speedup: expect.any(Number) });
  for (const method of ["ar", "arExact", "promptLookup", "ngram", "dlmArgmax", "diffuspec"])
    expect(result[method].tokensPerSecond).toBeGreaterThan(0);
  expect(result.diffuspec).toMatchObject({
    draftMs: expect.any(Number),
    searchMs: expect.any(Number),
    verifyMs: expect.any(Number),
  });
  expect(result.nonLooping.prompts).toBeLessThanOrEqual(2);
});

test("other prompts, and text for people without escape codes off a terminal", () => {
  const file = join(mkdtempSync(join(tmpdir(), "diffuspec-demo-")), "prompts.jsonl");
  writeFileSync(file, '"function add(a, b) {\\n"\n');
  const { stdout, status } = demo("--prompts", file, "--max-tokens", "16");
  expect(status).toBe(0);
  expect(stdout).toContain("function add(a, b) {");
  expect(stdout).toContain("DiffuSpec");
  expect(stdout).not.toContain("\x1b[");
});

test.each([
  [["--max-tokens", "0"], "--max-tokens is 0"],
  [["--temperature", "x"], "--temperature is x"],
  [["--nonsense"], "--nonsense"],
  [["--prompts", "/nowhere.jsonl"], "nowhere.jsonl"],
  [["--max-tokens", "100000", "--count", "1"], ""],
])("%j fails with a sentence, or stops at the context", (args, message) => {
  const { stderr, status } = demo(...args);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain("    at ");
});
