import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
if (!existsSync(main))
  throw new Error('apps/cli is not built; run `pnpm --filter "@diffuspec/cli..." build`, or `npm test`, which does');

const embedded = fileURLToPath(new URL("../../../packages/model-tiny-js/model", import.meta.url));
const model = process.env.DIFFUSPEC_TEST_MODEL ?? embedded;
const missing = existsSync(`${model}/manifest.json`)
  ? undefined
  : "packages/model-tiny-js/model is not there; set DIFFUSPEC_TEST_MODEL to a model directory";

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

function diffuspec(
  args: readonly string[],
  { input = "", env = {}, onOutput = (_: ReturnType<typeof spawn>) => {} } = {},
): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, NO_COLOR: undefined, ...env } });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk) => {
      out.push(chunk);
      onOutput(child);
    });
    child.stderr.on("data", (chunk) => err.push(chunk));
    child.on("close", (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

describe("the command line", () => {
  test("explains itself", async () => {
    const help = await diffuspec(["--help"]);
    expect(help.code).toBe(0);
    for (const word of ["generate", "inspect", "Exit codes", "130", "NO_COLOR"]) expect(help.stdout).toContain(word);
    expect((await diffuspec(["generate", "--help"])).stdout).toContain("--repetition-penalty");
    expect(await diffuspec(["--version"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  test.each([
    [["nonsense"], "unknown command"],
    [["generate", "x", "--nonsense"], "unknown option"],
    [["generate", "x", "y"], "too many arguments"],
    [["generate", "x", "--drafter", "magic"], "prompt-lookup"],
    [["generate", "x", "--max-tokens", "many"], "no whole number"],
    [["generate", "x", "--max-tokens", "1.5"], "no whole number"],
    [["generate", "x", "--temperature", "NaN"], "no number"],
    [["generate", "x", "--temperature"], "argument missing"],
    [["generate", "x", "--precision", "q8"], "int8"],
    [["generate", "x", "--no-draft", "--drafter", "dlm"], "exclude each other"],
    [["generate", "x", "--no-draft", "--compare"], "--compare needs drafts"],
    [["generate", "x", "--system", "Be brief."], "--system needs --chat"],
    [["generate", "x", "--threads", "0"], "ERR_OPTION"],
  ])("%j is bad usage", async (args, said) => {
    const { code, stdout, stderr } = await diffuspec(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error \[ERR_[A-Z]+\]: /);
    expect(stderr).toContain(said);
    expect(stderr).not.toContain("    at ");
  });

  test("a model that is not there is a failure, with a stack only on demand", async () => {
    const args = ["generate", "x", "--model", "./not-here", "--json"];
    const quiet = await diffuspec(args);
    expect(quiet).toMatchObject({ code: 1, stdout: "" });
    expect(quiet.stderr).toMatch(/^error \[ERR_MODEL_UNKNOWN\]: .*not-here.*\n$/);
    expect((await diffuspec(args, { env: { DIFFUSPEC_DEBUG: "1" } })).stderr).toContain("    at ");
  });
});

describe.skipIf(missing)(`generate${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const run = (args: readonly string[], more = {}) => diffuspec(["generate", "--model", model, ...args], more);

  test("--json prints one object and nothing else, from an argument and from a pipe alike", async () => {
    const flags = ["--json", "--stats", "--max-tokens", "12", "--seed", "3", "--temperature", "0.5"];
    const argued = await run(["let x = ", ...flags]);
    expect(argued).toMatchObject({ code: 0, stderr: "" });
    const result = JSON.parse(argued.stdout);
    expect(result).toMatchObject({ drafter: "hybrid", prompt: "let x = ", stats: { tokens: result.ids.length } });
    expect(argued.stdout.indexOf("\n")).toBe(argued.stdout.length - 1);
    for (const dash of [[], ["-"]]) {
      const piped = JSON.parse((await run([...dash, ...flags], { input: "let x = \n" })).stdout);
      expect(piped.ids).toEqual(result.ids);
    }
    const plain = await run(["let x = ", ...flags, "--no-draft"]);
    expect(JSON.parse(plain.stdout)).toMatchObject({ drafter: "none", ids: result.ids });
  });

  test("without a terminal it writes exactly the text, without colours; statistics go to stderr", async () => {
    const flags = ["--max-tokens", "16", "let x = "];
    const { text } = JSON.parse((await run([...flags, "--json"])).stdout);
    const piped = await run([...flags, "--stats"]);
    expect(piped.stdout).toBe(text);
    expect(piped.stderr).toMatch(/^\d+ tokens, [\d.]+ tokens\/s/);
  });

  test("colours accepted tokens where told to, and NO_COLOR does not overrule the flag", async () => {
    const flags = ["--max-tokens", "40", "--drafter", "prompt-lookup", "var a = 1;\nvar a = 1;\nvar a = "];
    const painted = await run([...flags, "--color"], { env: { NO_COLOR: "1" } });
    expect(painted.stdout).toContain("\u001b[32m");
    const bare = await run([...flags, "--no-color"], { env: { FORCE_COLOR: "1" } });
    expect(bare.stdout).not.toContain("\u001b");
    expect(bare.stdout).toBe(stripVTControlCharacters(painted.stdout));
  });

  test("--compare finds both sides equal", async () => {
    const { code, stdout, stderr } = await run(["const a = ", "--compare", "--max-tokens", "20"]);
    expect(code).toBe(0);
    expect(stdout).not.toBe("");
    for (const line of [/^hybrid: .* tokens\/s/m, /^none: .* tokens\/s/m, /^identical: all 20 tokens$/m])
      expect(stderr).toMatch(line);
    const json = JSON.parse((await run(["const a = ", "--compare", "--json", "--max-tokens", "20"])).stdout);
    expect(json).toMatchObject({ identical: true, firstDifference: null });
    expect(json.drafted.ids).toEqual(json.plain.ids);
  });

  test("--stop cuts, and may be given twice", async () => {
    const flags = ["for (let i = 0; i < ", "--max-tokens", "30", "--json"];
    const whole: string = JSON.parse((await run(flags)).stdout).text;
    const word = whole.slice(5, 8);
    const cut = JSON.parse((await run([...flags, "--stop", "never to be found", "--stop", word])).stdout);
    expect(cut).toMatchObject({ text: whole.slice(0, whole.indexOf(word)), finishReason: "stop" });
  });

  test("--chat needs a chat template", async () => {
    const result = await run(["hello", "--chat"]);
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toContain("error [ERR_UNSUPPORTED]");
  });

  test("values out of range are bad usage", async () => {
    expect(await run(["x", "--top-p", "7"])).toMatchObject({ code: 2, stdout: "" });
  });

  test("an interrupt ends it with 130", async () => {
    const result = await run(["x", "--max-tokens", "480", "--min-tokens", "480", "--drafter", "dlm"], {
      onOutput: (child: ReturnType<typeof spawn>) => child.killed || child.kill("SIGINT"), // a second one would not wait
    });
    expect(result).toMatchObject({ code: 130, stderr: "interrupted\n" });
  });

  test("a reader that leaves is no failure", async () => {
    const result = await run(["x", "--max-tokens", "480", "--min-tokens", "480", "--drafter", "dlm"], {
      onOutput: (child: ReturnType<typeof spawn>) => child.stdout?.destroy(),
    });
    expect(result).toMatchObject({ code: 0, stderr: "" });
  });
});

describe.skipIf(missing)("inspect", () => {
  test("shows what is loaded, for people and as JSON", async () => {
    const people = await diffuspec(["inspect", "--model", model, "--quick"]);
    expect(people.code).toBe(0);
    for (const word of ["target.int8.bin", "row-exact   yes", "16 rows"]) expect(people.stdout).toContain(word);
    const json = await diffuspec(["inspect", "--model", model, "--quick", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ rowExactness: { rowExact: true }, info: { precision: "int8" } });
  });
});
