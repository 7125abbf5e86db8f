import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSampler } from "@diffuspec/spec-loop";
import { createByteTokenizer, plainDecode } from "@diffuspec/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { writeBenchmarks } from "../src/benchmarks-write.ts";
import { chooseQuestions, type Questions, readQuestions, TASKS } from "../src/spec-bench-data.ts";
import { measure } from "../src/spec-bench-measure.ts";
import { ownRows } from "../src/spec-bench-summary.ts";
import { corrupted } from "./corrupted.ts";
import { data, fakeField, folder, honest, LINES, options } from "./spec-bench-field.ts";

afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
