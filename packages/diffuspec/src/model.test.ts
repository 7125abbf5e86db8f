import { describe, expect, test } from "vitest";
import { connect, createFakeEngine } from "../test/fake-engine.ts";
import type { GenerateEvent } from "./events.ts";
import { loadOver } from "./model.ts";
import type { LoadOptions } from "./options.ts";

async function open(options: Partial<LoadOptions> = {}, onPass?: (pass: number) => void) {
  const engine = createFakeEngine(onPass);
  const link = connect(engine);
  const model = await loadOver(() => link, { drafter: "none", ...options });
  return { engine, link, model };
}

const code = (expected: string) => expect.objectContaining({ code: expected });
const long = { maxTokens: 2000, logitBias: { 256: -1000 } };

async function drain(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe("a call", () => {
  test("gives its tokens as they come, then the summary, and both agree", async () => {
    const { model } = await open();
    const events = await drain(model.generate("abcabcabc", { maxTokens: 40, drafter: "prompt-lookup" }));
    const done = events.at(-1)!;
    if (done.type !== "done") throw new Error("the last event is the summary");
    const rounds = events.filter((event) => event.type === "tokens");
    expect(events.length).toBe(rounds.length + 1);
    expect(rounds.flatMap((round) => [...round.tokens])).toEqual([...done.ids]);
    expect(rounds.map((round) => round.text).join("")).toBe(done.text);
    for (const round of rounds) {
      expect(round.accepted.length).toBe(round.tokens.length);
      expect(round.texts.join("")).toBe(round.text);
      expect(round.accepted.filter(Boolean).length).toBe(round.stats.accepted);
    }
    expect(done.stats).toMatchObject({ tokens: done.ids.length, rounds: rounds.length, promptTokens: 10 });
    expect(done.stats.meanAcceptedTokens).toBeCloseTo(done.ids.length / rounds.length);
    await model.dispose();
  });

  test("writes the same ids whatever drafts", async () => {
    const { model } = await open();
    const options = { maxTokens: 60, temperature: 0.7, seed: 5 };
    const plain = await model.complete("hello hello ", { ...options, drafter: "none" });
    const drafted = await model.complete("hello hello ", { ...options, drafter: "prompt-lookup" });
    expect(drafted.ids).toEqual(plain.ids);
    expect(plain.stats.meanAcceptedTokens).toBe(1);
    await model.dispose();
  });

  test("takes ids as they are, and nothing else", async () => {
    const { model } = await open();
    expect((await model.complete(Int32Array.of(1, 2, 3), { maxTokens: 2 })).stats.promptTokens).toBe(3);
    await expect(model.complete([1, 2] as never)).rejects.toEqual(code("ERR_PROMPT"));
    await expect(model.complete(Int32Array.of(9999))).rejects.toEqual(code("ERR_PROMPT"));
    await expect(model.complete(new Int32Array(5000))).rejects.toEqual(code("ERR_CONTEXT_EXCEEDED"));
    await model.dispose();
  });

  test("takes a conversation, as it was when the call was made, and refuses what is none", async () => {
    const { model } = await open();
    const messages = [{ role: "user", content: "hi" }];
    const expected = await model.complete(Int32Array.from(Buffer.from("user: hi\n")), { maxTokens: 4 });
    const first = model.complete("x", { maxTokens: 20 });
    const second = model.complete({ messages }, { maxTokens: 4 });
    messages[0]!.content = "bye";
    messages.push({ role: "user", content: "!" });
    expect((await second).ids).toEqual(expected.ids);
    expect((await second).stats.promptTokens).toBe(9);
    await first;
    for (const bad of [{}, { messages: [] }, { messages: [{ role: "user" }] }, { messages, system: "x" }])
      await expect(model.complete(bad as never)).rejects.toEqual(code("ERR_PROMPT"));
    const session = model.session();
    await expect(session.complete({ messages } as never)).rejects.toThrow(/whole conversation/);
    session.dispose();
    await model.dispose();
  });

  test.each([
    [{ temprature: 1 }, /temprature.*temperature/],
    [{ maxTokens: "9" }, /maxTokens.*number/],
    [{ temperature: Number.NaN }, /temperature/],
    [{ topP: 2 }, /topP/],
    [{ stop: "x" }, /stop.*array/],
    [{ logitBias: () => 1 }, /logitBias/],
    [{ signal: {} }, /signal.*AbortSignal/],
    [{ drafter: "dream" }, /drafter.*prompt-lookup/],
  ])("refuses %o", async (options, message) => {
    const { model } = await open();
    await expect(model.complete("x", options as never)).rejects.toEqual(code("ERR_OPTION"));
    await expect(model.complete("x", options as never)).rejects.toThrow(message);
    expect((await model.complete("x", { maxTokens: 3 })).ids.length).toBeLessThanOrEqual(3);
    await model.dispose();
  });

  test("that cannot be sent fails alone", async () => {
    const { model } = await open();
    const odd = new Map([[() => 1, 1]]) as never;
    const calls = [model.complete("x", { logitBias: odd }), model.complete("y", { maxTokens: 2 })];
    await expect(calls[0]).rejects.toEqual(code("ERR_OPTION"));
    expect((await calls[1]!).ids.length).toBe(2);
    expect(() => model.session({ draftr: "dlm" } as never)).toThrow("draftr");
    expect(() => model.session({ drafter: "magic" } as never)).toThrow("magic");
    await model.dispose();
  });

  test("uses the ids as they were when it was made", async () => {
    const { model } = await open();
    const ids = Int32Array.of(1, 2, 3);
    const expected = await model.complete(ids, { maxTokens: 5 });
    const first = model.complete("x", { maxTokens: 20 });
    const second = model.complete(ids, { maxTokens: 5 });
    ids.fill(9);
    expect((await second).ids).toEqual(expected.ids);
    await first;
    await model.dispose();
  });

  test("of an error that is not ours becomes ERR_WORKER with its message", async () => {
    const { model } = await open();
    await expect(model.inspect()).rejects.toEqual(code("ERR_WORKER"));
    await expect(model.inspect()).rejects.toThrow("no inspection here");
    await model.dispose();
  });
});

describe("loading", () => {
  test("that is aborted ends with ERR_ABORTED, and the engine is told and let go", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    let told: unknown;
    const link = connect(async ({ signal, onProgress }) => {
      onProgress?.({ phase: "target", done: 0, total: 1 });
      await new Promise((resolve) => signal!.addEventListener("abort", resolve));
      told = signal!.aborted;
      throw new Error("too late to matter");
    });
    const onProgress = () => abort.abort(reason);
    const loading = loadOver(() => link, { drafter: "none", signal: abort.signal, onProgress });
    await expect(loading).rejects.toMatchObject({ code: "ERR_ABORTED", name: "AbortError", cause: reason });
    expect(told).toBe(true);
    expect(link.held).toBe(true); // until the worker is gone
  });

  test("frees an engine that was there before the abort reached it", async () => {
    const abort = new AbortController();
    const engine = createFakeEngine();
    let disposed = 0;
    const link = connect(async () => {
      abort.abort();
      return { ...engine, dispose: async () => void disposed++ };
    });
    await expect(loadOver(() => link, { drafter: "none", signal: abort.signal })).rejects.toEqual(code("ERR_ABORTED"));
    expect(disposed).toBe(1);
  });

  test("does not begin where the signal fired before, and a later abort touches nothing", async () => {
    const starts = () => {
      throw new Error("a worker was started");
    };
    await expect(loadOver(starts, { signal: AbortSignal.abort() })).rejects.toEqual(code("ERR_ABORTED"));
    await expect(loadOver(starts, { signal: {} as never })).rejects.toThrow(/signal is an object.*AbortSignal/);
    const abort = new AbortController();
    const { model } = await open({ signal: abort.signal });
    abort.abort();
    expect((await model.complete("x", { maxTokens: 2 })).ids.length).toBe(2);
    await model.dispose();
  });
});

describe("the queue", () => {
  test("is served in order, one at a time", async () => {
    const { model, engine } = await open();
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2, 3].map(async (i) => {
        for await (const event of model.generate(`prompt ${i}`, { maxTokens: 20 }))
          if (event.type === "tokens" && order.at(-1) !== i) order.push(i);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3]);
    expect(engine.generations).toBe(4);
    await model.dispose();
  });

  test("refuses what does not fit, and takes calls again later", async () => {
    const { model } = await open({ maxQueue: 1 });
    const first = model.complete("a", long);
    const second = model.complete("b", { maxTokens: 1 });
    await expect(model.complete("c")).rejects.toThrow(/queue is full/);
    await expect(model.complete("c")).rejects.toEqual(code("ERR_OPTION"));
    await Promise.all([first, second]);
    expect((await model.complete("c", { maxTokens: 1 })).ids.length).toBe(1);
    await model.dispose();
  });

  test("lets a waiting call be aborted without touching the engine", async () => {
    const { model, engine } = await open();
    const first = model.complete("a", { maxTokens: 50 });
    const controller = new AbortController();
    const second = model.complete("b", { signal: controller.signal });
    controller.abort("changed my mind");
    await expect(second).rejects.toMatchObject({ code: "ERR_ABORTED", name: "AbortError", cause: "changed my mind" });
    await first;
    await model.complete("c", { maxTokens: 1 });
    expect(engine.generations).toBe(2);
    await model.dispose();
  });
});

describe("an abort", () => {
  test("of a running call ends it, and the next call is as if it had not been", async () => {
    const { model } = await open();
    const expected = await model.complete("other", { maxTokens: 30 });
    const controller = new AbortController();
    let rounds = 0;
    const run = (async () => {
      for await (const event of model.generate("abc", { ...long, signal: controller.signal }))
        if (event.type === "tokens" && ++rounds === 5) controller.abort();
    })();
    await expect(run).rejects.toEqual(code("ERR_ABORTED"));
    expect(rounds).toBe(5);
    expect((await model.complete("other", { maxTokens: 30 })).ids).toEqual(expected.ids);
    await model.dispose();
  });

  test("reaches the prefill of a long prompt within a few passes", async () => {
    const controller = new AbortController();
    const { model, engine } = await open({}, (pass) => pass === 20 && controller.abort());
    const run = model.complete("x".repeat(4000), { signal: controller.signal, maxTokens: 5 });
    await expect(run).rejects.toEqual(code("ERR_ABORTED"));
    expect((await model.complete("y", { maxTokens: 4 })).ids.length).toBe(4);
    // 4,001 ids would have been 251 passes.
    expect(engine.passes).toBeLessThan(60);
    await model.dispose();
  });

  test("before the call starts refuses it", async () => {
    const { model } = await open();
    await expect(model.complete("x", { signal: AbortSignal.abort() })).rejects.toEqual(code("ERR_ABORTED"));
    await model.dispose();
  });

  test("is what leaving the iteration does", async () => {
    const { model, link } = await open();
    for await (const _ of model.generate("abc", long)) break;
    expect((await model.complete("abc", { maxTokens: 3 })).ids.length).toBe(3);
    expect(link.held).toBe(false);
    await model.dispose();
  });
});

describe("a session", () => {
  test("continues what was said, computes only what is new, and equals one long prompt", async () => {
    const { model } = await open();
    const chat = model.session();
    const first = await chat.complete("hello ", { maxTokens: 20 });
    const between = chat.ids;
    expect([...between]).toEqual([256, ...Buffer.from("hello "), ...first.ids]);
    const second = await chat.complete(" and ", { maxTokens: 20 });
    expect(second.stats.promptTokens).toBe(between.length + 5);
    expect(second.stats.reusedTokens).toBe(between.length - 1);
    const whole = Int32Array.of(...between, ...Buffer.from(" and "));
    expect((await model.complete(whole, { maxTokens: 20 })).ids).toEqual(second.ids);
    chat.reset();
    expect(chat.ids.length).toBe(0);
    expect((await chat.complete("hello ", { maxTokens: 20 })).ids).toEqual(first.ids);
    chat.dispose();
    await expect(chat.complete("x")).rejects.toEqual(code("ERR_CLOSED"));
    await model.dispose();
  });

  test("keeps what came before an early end, and nothing of a refused turn", async () => {
    const { model } = await open();
    const chat = model.session({ drafter: "prompt-lookup" });
    let seen: number[] = [];
    for await (const event of chat.generate("abcabc", { ...long }))
      if (event.type === "tokens") {
        seen = [...seen, ...event.tokens];
        if (seen.length > 10) break;
      }
    expect([...chat.ids]).toEqual([256, ...Buffer.from("abcabc"), ...seen]);
    const before = chat.ids;
    await expect(chat.complete("x".repeat(5000))).rejects.toEqual(code("ERR_CONTEXT_EXCEEDED"));
    await expect(chat.complete("x", { topP: 7 })).rejects.toEqual(code("ERR_OPTION"));
    expect(chat.ids).toEqual(before);
    await model.dispose();
  });

  test("runs one turn at a time and frees its cache", async () => {
    const { model, engine } = await open();
    const chat = model.session();
    const running = chat.complete("a", { maxTokens: 30 });
    await expect(chat.complete("b")).rejects.toEqual(code("ERR_CONTRACT"));
    expect(() => chat.reset()).toThrow(/turn is running/);
    await running;
    await model.complete("x", { maxTokens: 1 });
    expect(engine.openSessions).toBe(2);
    chat.dispose();
    await model.complete("x", { maxTokens: 1 });
    expect(engine.openSessions).toBe(1);
    await model.dispose();
    expect(engine.openSessions).toBe(0);
  });
});

describe("the end", () => {
  test("dispose ends what runs and what waits with ERR_CLOSED, twice is fine", async () => {
    const { model, engine } = await open();
    const calls = [model.complete("a", long), model.complete("b"), model.session().complete("c")];
    await new Promise((resolve) => setTimeout(resolve, 5));
    const results = Promise.allSettled(calls);
    await Promise.all([model.dispose(), model.dispose()]);
    for (const result of await results)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "ERR_CLOSED" } });
    await expect(model.complete("d")).rejects.toEqual(code("ERR_CLOSED"));
    expect(engine.openSessions).toBe(0);
  });

  test("a crash of the worker ends them with ERR_WORKER and the cause, and dispose still works", async () => {
    const { model, link } = await open();
    const calls = Promise.allSettled([model.complete("a", long), model.complete("b")]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    link.crash(new Error("out of memory"));
    for (const result of await calls)
      expect(result).toMatchObject({ reason: { code: "ERR_WORKER", cause: { message: "out of memory" } } });
    await expect(model.complete("c")).rejects.toEqual(code("ERR_WORKER"));
    await model.dispose();
  });

  test("the link keeps the process alive only while a call is under way", async () => {
    const { model, link } = await open();
    expect(link.held).toBe(false);
    const call = model.complete("a", { maxTokens: 20 });
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(link.held).toBe(true);
    await call;
    expect(link.held).toBe(false);
    await model.dispose();
  });
});
