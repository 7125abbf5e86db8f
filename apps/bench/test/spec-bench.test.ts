import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Verifier } from "@diffuspec/contracts";
import { createManifest } from "@diffuspec/model-files";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { createSampler, openSession } from "@diffuspec/spec-loop";
import { createByteTokenizer, createFakeVerifier, oracleDrafter, plainDecode } from "@diffuspec/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { writeBenchmarks } from "../src/benchmarks-write.ts";
import { circumstances } from "../src/circumstances.ts";
import { findPair, readSpecBenchArguments } from "../src/spec-bench-arguments.ts";
import { chooseQuestions, type Questions, readQuestions, TASKS } from "../src/spec-bench-data.ts";
import { measure } from "../src/spec-bench-measure.ts";
import { type Answer, type Field, openField } from "../src/spec-bench-methods.ts";
import { METHOD_NAMES, type MethodName } from "../src/spec-bench-names.ts";
import { ownRows } from "../src/spec-bench-summary.ts";
import { corrupted } from "./corrupted.ts";

const folder = mkdtempSync(join(tmpdir(), "diffuspec-spec-bench-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Questions of our own, in the benchmark's form: two of each task, those of "mt" with a second turn. */
const LINES = [
  [1, "writing", "Tell of a lighthouse keeper who counts ships.", "Now tell it in one sentence."],
  [2, "math", "What is seven times eight?", "And half of that?"],
  [3, "translation", "Translate German to English: Der Fluss ist heute ruhig."],
  [4, "translation", "Translate German to English: Wir haben zwei Katzen."],
  [5, "summarization", "Summarize: The mill closed in spring. Its wheel still turns when the water is high."],
  [6, "summarization", "Summarize: A baker found a coin in the flour and gave it back."],
  [7, "qa", "Which metal is liquid at room temperature?"],
  [8, "qa", "How many legs has a spider?"],
  [9, "math_reasoning", "Ann has 3 boxes of 12 pens and gives 7 away. How many are left?"],
  [10, "math_reasoning", "A train needs 40 minutes for 60 km. How far in an hour?"],
  [11, "rag", "Tea is grown in hills.\nCoffee is grown too.\nWhere is tea grown?"],
  [12, "rag", "Ducks swim.\nHens do not.\nWhich bird swims?"],
].map(([question_id, category, ...turns]) => ({ question_id, category, turns }));
const DATA = join(folder, "question.jsonl");
writeFileSync(DATA, LINES.map((line) => `${JSON.stringify(line)}\n`).join(""));

const honest = createFakeVerifier({ vocabularySize: 257, seed: 5, contextLength: 400, eosIds: [] });

/** A field of fakes that remembers what it was asked. */
function fakeField({
  drafted = honest as Verifier,
  dieAfter = Number.POSITIVE_INFINITY,
  peers = undefined as Field["peers"],
} = {}) {
  const tokenizer = createByteTokenizer();
  const asked: { name: MethodName; prompt: string; length: number }[] = [];
  const answerWith = (name: MethodName, verifier: Verifier, session?: ReturnType<typeof openSession>) => ({
    name,
    async answer(prompt: Int32Array, maxTokens: number): Promise<Answer> {
      if (asked.length >= dieAfter) throw new Error("killed");
      asked.push({ name, prompt: tokenizer.decode(prompt), length: prompt.length });
      const parts = {
        accepted: 0,
        drafted: 0,
        reused: 0,
        draftMs: 1,
        searchMs: 0,
        verifyMs: 2,
        prefillMs: 1,
        decodeMs: 4,
      };
      if (name === "ar") {
        const { tokens } = await plainDecode(honest, prompt, createSampler({}, 257), { maxTokens });
        return { ...parts, ids: Int32Array.from(tokens), rounds: tokens.length, decodeMs: tokens.length - 1 };
      }
      session ??= openSession({ verifier, ...(name !== "arExact" && { drafter: oracleDrafter(honest.model) }) });
      for (const generation = (await session).generate(prompt, { maxTokens }); ; ) {
        const { done, value } = await generation.next();
        if (!done) continue;
        return { ...parts, ids: value.tokens, rounds: value.totals.rounds, decodeMs: value.totals.rounds - 1 };
      }
    },
  });
  const field: Field = {
    model: "test/fake",
    fingerprint: "f",
    contextLength: 400,
    eosIds: [],
    threads: 1,
    precision: "int8",
    arPrecision: "int8",
    contenders: [
      answerWith("ar", honest),
      answerWith("arExact", honest),
      answerWith("promptLookup", honest),
      answerWith("diffuspec", drafted),
    ],
    missing: [],
    ...(peers && { peers }),
    encode: (messages) => tokenizer.encode(messages.map((m) => `${m.role}: ${m.content}\n`).join("")),
    decode: (ids) => tokenizer.decode(ids),
    dispose: async () => {},
  };
  return { field, asked };
}

const data = readQuestions(DATA);
const options = { pair: "fake", data, perTask: 2, maxTokens: 24, draftLength: 8, sitting: circumstances() };

describe("question.jsonl", () => {
  test("eight categories are the task mt, and the category math is not math_reasoning", () => {
    const categories = ["writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"];
    const all = [...categories, ...TASKS.slice(1)].map((category, i) => ({ question_id: i, category, turns: ["x"] }));
    const file = join(folder, "all.jsonl");
    writeFileSync(file, all.map((line) => `${JSON.stringify(line)}\n`).join("\n"));
    const tasks = readQuestions(file).questions.map(({ task }) => task);
    expect(tasks).toEqual([...new Array(8).fill("mt"), ...TASKS.slice(1)]);
  });

  test("questions are chosen evenly, from the first one on", () => {
    const many = Array.from({ length: 80 }, (_, id) => ({ id, task: "qa" as const, turns: ["x"] }));
    const ids = (count: number) => chooseQuestions(many, count).map(({ id }) => id);
    expect(ids(10)).toEqual([0, 8, 16, 24, 32, 40, 48, 56, 64, 72]);
    expect(ids(3)).toEqual([0, 26, 53]);
    expect(ids(1000)).toEqual(many.map(({ id }) => id));
    expect(chooseQuestions(data.questions, 1).map(({ id }) => id)).toEqual([1, 3, 5, 7, 9, 11]);
  });

  test.each([
    ["", /holds no question/],
    ["[1]", /question_id/],
    ["nonsense", /:1 .*no JSON object/],
    ['{"question_id":1,"category":"cooking","turns":["x"]}', /no category "cooking"/],
    ['{"question_id":1,"category":"qa","turns":[]}', /turns/],
    ['{"question_id":1,"category":"qa","turns":["x"]}\n{"question_id":1,"category":"qa","turns":["x"]}', /:2 .*before/],
  ])("%j is refused", (text, message) => {
    const file = join(folder, "bad.jsonl");
    writeFileSync(file, text);
    expect(() => readQuestions(file)).toThrow(message);
  });
});

describe("a run", () => {
  test("has the fields that are published, and the figures of its answers", async () => {
    const { field } = fakeField();
    const { result, records } = await measure(field, options);
    expect(JSON.parse(JSON.stringify(result))).toMatchObject({
      pair: "fake",
      identical: true,
      questions: 12,
      mean: {
        speedup: expect.any(Number),
        endToEndSpeedup: expect.any(Number),
        meanAcceptedTokens: expect.any(Number),
      },
    });
    expect(result.tasks.map(({ task }) => task)).toEqual([...TASKS]);
    for (const task of result.tasks) {
      expect(task).toMatchObject({ questions: 2, identical: true, turns: task.task === "mt" ? 4 : 2 });
      expect(task.ar.tokensPerSecond).toBe(1000); // one millisecond a token, by the fake's clock
      expect(task.arExact.tokensPerSecond).toBe(1000);
      expect(task.methods.map(({ name }) => name)).toEqual(["promptLookup", "diffuspec"]);
      for (const method of ownRows(task)) {
        expect(method.meanAcceptedTokens).toBeGreaterThan(3);
        // one millisecond a round behind the first, one token out of that
        const [tokens, { rounds }] = [method.meanAcceptedTokens * method.rounds, method];
        expect(method.speedup).toBeCloseTo((tokens - task.turns) / (rounds - task.turns), 2);
        expect(method.endToEndSpeedup).toBeLessThan(method.speedup);
        expect(method.endToEndSpeedup).toBeGreaterThan(1);
      }
    }
    const speedups = result.tasks.map((task) => ownRows(task)[1]!.speedup);
    expect(result.mean.speedup).toBeCloseTo(speedups.reduce((a, b) => a + b) / 6, 2);
    expect(records.map(({ question }) => question)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("other programs answer beside ours, and one that fails does not end the run", async () => {
    /** A millisecond for the prompt, two for every further token; every third answer ends otherwise. */
    let count = 0;
    const decodes = async (prompt: Int32Array, maxTokens: number) => {
      const { tokens } = await plainDecode(honest, prompt, createSampler({}, 257), { maxTokens });
      const ids = Int32Array.from(tokens);
      if (count++ % 3 === 2) ids[ids.length - 1]! ^= 1;
      return { ids, prefillMs: 1, decodeMs: 2 * (ids.length - 1) };
    };
    const peer = (name: string, generate: typeof decodes) => ({
      ...{ name, version: "1.2.3", dtype: "q4", threads: 2, generate },
      dispose: async () => {},
    });
    const peers = {
      peers: [peer("steady", decodes), peer("broken", () => Promise.reject(new Error("it crashed")))],
      missing: [{ name: "absent", why: "no binary" }],
    };
    const { field } = fakeField({ peers });
    const log = join(folder, "peers.jsonl");
    const run = await measure(field, { ...options, log });
    const { result, records } = run;
    expect(result.identical).toBe(true); // of peers none is asked
    expect(result.missingPeers).toEqual(peers.missing);
    for (const task of result.tasks) {
      const [steady, broken] = task.methods.filter((row) => "peer" in row);
      expect(steady).toMatchObject({ name: "steady", peer: true, answers: task.turns, failed: 0 });
      expect(steady!.tokensPerSecond).toBeCloseTo(500, 6);
      expect(steady!.arOverPeer).toBeCloseTo(2, 6);
      const diffuspec = ownRows(task).find(({ name }) => name === "diffuspec")!;
      expect(steady!.diffuspecOverPeer).toBeCloseTo(diffuspec.tokensPerSecond / 500, 2);
      expect(broken).toMatchObject({ answers: 0, failed: task.turns, tokensPerSecond: null, agreement: null });
    }
    const [steady, broken] = result.peers!;
    expect(steady).toMatchObject({ name: "steady", version: "1.2.3", dtype: "q4", threads: 2, tokensPerSecond: 500 });
    expect(steady!.agreement).toBeGreaterThan(0.5);
    expect(steady!.agreement).toBeLessThan(0.8);
    expect(broken).toMatchObject({ tokensPerSecond: null, diffuspecOverPeer: null });
    expect(records[0]!.turns[0]!.peers!.broken).toEqual({ failed: "it crashed" });

    const out = join(folder, "peers", "benchmarks.md");
    writeBenchmarks(out, run);
    const text = readFileSync(out, "utf8");
    for (const words of ["steady 1.2.3", " 2.00x |", "Not run: absent (no binary)"]) expect(text).toContain(words);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
    await expect(measure(fakeField().field, { ...options, log })).rejects.toThrow(/peers is .*steady.*, here missing/);
    await expect(
      measure(fakeField({ peers: { ...peers, peers: peers.peers.slice(1) } }).field, { ...options, log }),
    ).rejects.toThrow(/peers is .*steady/);
  });

  test("a method whose target lies turns identical false, and is named", async () => {
    const { field } = fakeField({ drafted: corrupted(honest) });
    const { result } = await measure(field, options);
    expect(result.identical).toBe(false);
    for (const task of result.tasks) {
      expect(task.identical).toBe(false);
      expect(task.differing?.[0]).toMatchObject({ method: "diffuspec", turn: 0, at: expect.any(Number) });
      expect(ownRows(task).map(({ identical }) => identical)).toEqual([true, false]);
    }
  });

  test("every method continues the same history, which holds the model's own answer; the order rotates", async () => {
    const { field, asked } = fakeField({ drafted: corrupted(honest) });
    await measure(field, { ...options, perTask: 1 });
    const own = asked.slice(4, 12); // behind the warm-up
    expect(own.map(({ name }) => name)).toEqual([
      ...["ar", "arExact", "promptLookup", "diffuspec"],
      ...["arExact", "promptLookup", "diffuspec", "ar"],
    ]);
    expect(new Set(own.slice(0, 4).map(({ prompt }) => prompt)).size).toBe(1);
    expect(new Set(own.slice(4).map(({ prompt }) => prompt)).size).toBe(1);
    const [first, second] = [own[0]!.prompt, own[4]!.prompt];
    const answer = await plainDecode(honest, createByteTokenizer().encode(first), createSampler({}, 257), {
      maxTokens: 24,
    });
    const said = createByteTokenizer().decode(answer.tokens);
    expect(second).toBe(`${first}assistant: ${said}\nuser: ${LINES[0]!.turns[1]}\n`);
  });

  test("what does not fit is skipped and counted, never cut", async () => {
    const long = { id: 90, task: "rag" as const, turns: ["x".repeat(399)] };
    const late = { id: 91, task: "qa" as const, turns: ["short", "y".repeat(380)] };
    const fits: Questions = { sha256: "s", questions: [...data.questions, long, late] };
    const { field, asked } = fakeField();
    const { result } = await measure(field, { ...options, data: fits, perTask: 99 });
    const task = (name: string) => result.tasks.find((one) => one.task === name)!;
    expect(task("rag")).toMatchObject({ questions: 2, turns: 2, skipped: { questions: 1, turns: 1 } });
    expect(task("qa")).toMatchObject({ questions: 3, turns: 3, skipped: { questions: 0, turns: 1 } });
    expect(task("mt").skipped).toEqual({ questions: 0, turns: 0 });
    expect(asked.every(({ length }) => length + 24 <= 400)).toBe(true);
  });
});

describe("a killed run", () => {
  test("goes on from its log, asks nothing twice, and gives the same figures", async () => {
    const log = join(folder, "log", "run.jsonl");
    const whole = await measure(fakeField().field, options);
    const killed = fakeField({ dieAfter: 30 });
    await expect(measure(killed.field, { ...options, log })).rejects.toThrow("killed");
    appendFileSync(log, '{"record":{"question":3,"tas'); // the kill came while a line was written
    const again = fakeField();
    const { result, records, sittings } = await measure(again.field, { ...options, log });
    expect(result).toEqual(whole.result);
    expect(records).toEqual(whole.records);
    expect(sittings).toHaveLength(2);
    const prompts = again.asked.slice(4).map(({ prompt }) => prompt); // behind the warm-up
    expect(prompts.some((prompt) => prompt.includes("lighthouse"))).toBe(false);

    const third = fakeField();
    expect((await measure(third.field, { ...options, log })).result).toEqual(whole.result);
    expect(third.asked).toEqual([]);
    await expect(measure(third.field, { ...options, log, maxTokens: 25 })).rejects.toThrow(/maxTokens is 24, here 25/);
    writeFileSync(log, "nonsense\n");
    await expect(measure(third.field, { ...options, log })).rejects.toThrow(/run\.jsonl:1 is damaged/);
  });
});

describe("the embedded pair with a chat template", () => {
  const few = { ...options, perTask: 1, maxTokens: 8, data: { ...data, questions: data.questions.slice(1, 3) } };
  const copy = async (name: string, change: (manifest: Record<string, unknown>) => void = () => {}) => {
    const directory = join(folder, name);
    cpSync(modelDirectory, directory, { recursive: true });
    const template = "{% for m in messages %}// {{ m.role }}: {{ m.content }}\n{% endfor %}";
    writeFileSync(join(directory, "chat.jinja"), template);
    const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
    delete manifest.target.graphs.fp32; // `ar` would time it too
    change(manifest);
    await createManifest(directory, { ...manifest, chatTemplate: "chat.jinja" });
    return directory;
  };

  test("all methods run, and all are identical", { timeout: 300_000 }, async () => {
    const field = await openField({ directory: await copy("whole"), methods: METHOD_NAMES, draftLength: 8 });
    expect(field.missing).toEqual([]);
    const { result, records } = await measure(field, few);
    await field.dispose();
    expect(result.identical).toBe(true);
    expect(result.tasks[0]!.methods.map(({ name }) => name)).toEqual(METHOD_NAMES.slice(2));
    expect(result.mean.meanAcceptedTokens).toBeGreaterThanOrEqual(1);
    for (const { turns } of records)
      for (const { runs, promptTokens } of turns)
        for (const run of Object.values(runs)) {
          expect(run.prefillMs).toBeGreaterThan(0);
          expect(run.reused).toBe(0);
          expect(promptTokens).toBeGreaterThan(5);
        }
  });

  test("without drafter and n-gram the rest runs, and the result says so", { timeout: 300_000 }, async () => {
    const directory = await copy("target-only", (manifest) => {
      delete manifest.drafter;
      delete manifest.ngram;
    });
    const field = await openField({ directory, methods: METHOD_NAMES, draftLength: 8 });
    const { result } = await measure(field, few);
    await field.dispose();
    expect(result.missing.map(({ name }) => name)).toEqual(METHOD_NAMES.slice(4));
    expect(result.missing[0]!.why).toContain("dlm-argmax");
    // the n-gram of nothing but the text at hand
    expect(result.tasks[0]!.methods.map(({ name }) => name)).toEqual(["promptLookup", "ngram"]);
    expect(result.mean).toMatchObject({ speedup: null, meanAcceptedTokens: null });
    expect(result.identical).toBe(true);
  });

  test("without a template the first question is refused by name", { timeout: 300_000 }, async () => {
    const field = await openField({ directory: modelDirectory, methods: ["ar", "arExact"], draftLength: 8 });
    await expect(measure(field, options)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await field.dispose();
  });
});

describe("the command line", () => {
  test("fills in the defaults, the whole protocol, and where the log lies", () => {
    const read = (...argv: string[]) => readSpecBenchArguments(["--data", "q", ...argv]);
    expect(read()).toMatchObject({ pair: "smollm2-135m", perTask: 10, maxTokens: 256, log: undefined });
    expect(read().methods).toEqual(METHOD_NAMES);
    expect(read("--full")).toMatchObject({ perTask: Number.POSITIVE_INFINITY, maxTokens: 1024 });
    expect(read("--full", "--max-tokens", "9")).toMatchObject({ maxTokens: 9 });
    expect(read("--out", "r.json")).toMatchObject({ log: "r.json.partial.jsonl", keepLog: false });
    expect(read("--resume", "l")).toMatchObject({ log: "l", keepLog: true });
    expect(read().peers).toEqual([]);
    expect(read("--peers").peers).toEqual(read("--peers", "all").peers);
    expect(read("--peers", "all").peers).toContain("transformers.js-q4");
    expect(read("--peers", "node-llama-cpp, transformers.js-q8").peers).toEqual([
      "transformers.js-q8",
      "node-llama-cpp",
    ]);
    expect(read("--methods", "diffuspec").methods).toEqual(["ar", "arExact", "diffuspec"]);
  });

  test.each([
    [[], /--data is missing/],
    [["--data", "q", "--per-task", "0"], /--per-task is 0/],
    [["--data", "q", "--max-tokens", "x"], /--max-tokens is x/],
    [["--data", "q", "--methods", "magic"], /"magic"; there are/],
    [["--data", "q", "--precision", "q8"], /int8 or fp32/],
    [["--data", "q", "--peers", "llama"], /"llama"; there are all, transformers/],
    [["--data", "q", "--gguf", "not-here.gguf"], /no such file/],
    [["--data", "q", "--nonsense"], /nonsense/],
  ])("%j is refused", (argv, message) => {
    expect(() => readSpecBenchArguments(argv)).toThrow(message);
  });

  test("a pair is a path, a name in models/, or the embedded one", async () => {
    const root = mkdtempSync(join(folder, "root-"));
    expect(() => findPair("smollm2-135m", root)).toThrow(/npm run smollm2/);
    expect(() => findPair("./not-here", root)).toThrow(expect.objectContaining({ code: "ERR_MODEL_UNKNOWN" }));
    expect(findPair("tiny-js", root)).toBe(modelDirectory);
    expect(findPair(modelDirectory, root)).toBe(modelDirectory);
    const named = join(root, "models", "mine");
    cpSync(join(modelDirectory, "manifest.json"), join(named, "manifest.json"));
    expect(findPair("mine", root)).toBe(named);
  });
});

describe("the report", () => {
  test("is a section between two comments, with plots; what else the file says stays", async () => {
    const { field } = fakeField({ drafted: corrupted(honest) });
    const run = await measure(field, { ...options, perTask: 1 });
    const out = join(folder, "docs", "benchmarks.md");
    const written = writeBenchmarks(out, run);
    expect(written.map((path) => path.slice(folder.length + 1))).toEqual([
      "docs/benchmarks.md",
      "docs/benchmarks/fake-speedup.svg",
      "docs/benchmarks/fake-round.svg",
    ]);
    const text = readFileSync(out, "utf8");
    for (const word of ["NOT IDENTICAL", "| DiffuSpec ", " MT |", "fake-speedup.svg", "ms a round"])
      expect(text).toContain(word);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);

    writeFileSync(out, `before\n\n${text}\nafter\n`);
    const { field: good } = fakeField();
    writeBenchmarks(out, await measure(good, { ...options, perTask: 1 }));
    const second = readFileSync(out, "utf8");
    expect(second.startsWith("before\n")).toBe(true);
    expect(second.endsWith("\nafter\n")).toBe(true);
    expect(second).toContain("equals plain AR's (exact), token for token");
    expect(second).not.toContain("NOT IDENTICAL");
    expect(second.match(/## Spec-Bench: fake/g)).toHaveLength(1);

    for (const kind of ["speedup", "round"]) {
      const svg = readFileSync(join(folder, "docs", "benchmarks", `fake-${kind}.svg`), "utf8");
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      expect(svg.match(/<(rect|text|title|svg)\b/g)!.length).toBe(
        svg.match(/<\/(text|title|svg|rect)>|<rect [^>]*\/>/g)!.length,
      );
      for (const word of ["DiffuSpec", "prompt lookup"]) expect(svg).toContain(word);
    }
    writeFileSync(out, "<!-- spec-bench fake: begin -->");
    expect(() => writeBenchmarks(out, run)).toThrow("without the other");
    expect(() => writeBenchmarks("benchmarks.txt", run)).toThrow("Markdown");
  });
});
