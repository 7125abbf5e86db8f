import { describe, expect, test } from "vitest";
import { connect, createFakeEngine } from "../test/fake-engine.ts";
import { code, long, openModel } from "../test/open-model.ts";
import { loadOver } from "./model.ts";

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
    const { model } = await openModel({ signal: abort.signal });
    abort.abort();
    expect((await model.complete("x", { maxTokens: 2 })).ids.length).toBe(2);
    await model.dispose();
  });
});

describe("the queue", () => {
  test("is served in order, one at a time", async () => {
    const { model, engine } = await openModel();
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
    const { model } = await openModel({ maxQueue: 1 });
    const first = model.complete("a", long);
    const second = model.complete("b", { maxTokens: 1 });
    await expect(model.complete("c")).rejects.toThrow(/queue is full/);
    await expect(model.complete("c")).rejects.toEqual(code("ERR_OPTION"));
    await Promise.all([first, second]);
    expect((await model.complete("c", { maxTokens: 1 })).ids.length).toBe(1);
    await model.dispose();
  });

  test("lets a waiting call be aborted without touching the engine", async () => {
    const { model, engine } = await openModel();
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
    const { model } = await openModel();
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
    const { model, engine } = await openModel({}, (pass) => pass === 20 && controller.abort());
    const run = model.complete("x".repeat(4000), { signal: controller.signal, maxTokens: 5 });
    await expect(run).rejects.toEqual(code("ERR_ABORTED"));
    expect((await model.complete("y", { maxTokens: 4 })).ids.length).toBe(4);
    // 4,001 ids would have been 251 passes.
    expect(engine.passes).toBeLessThan(60);
    await model.dispose();
  });

  test("before the call starts refuses it", async () => {
    const { model } = await openModel();
    await expect(model.complete("x", { signal: AbortSignal.abort() })).rejects.toEqual(code("ERR_ABORTED"));
    await model.dispose();
  });

  test("is what leaving the iteration does", async () => {
    const { model, link } = await openModel();
    for await (const _ of model.generate("abc", long)) break;
    expect((await model.complete("abc", { maxTokens: 3 })).ids.length).toBe(3);
    expect(link.held).toBe(false);
    await model.dispose();
  });
});

describe("the end", () => {
  test("dispose ends what runs and what waits with ERR_CLOSED, twice is fine", async () => {
    const { model, engine } = await openModel();
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
    const { model, link } = await openModel();
    const calls = Promise.allSettled([model.complete("a", long), model.complete("b")]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    link.crash(new Error("out of memory"));
    for (const result of await calls)
      expect(result).toMatchObject({ reason: { code: "ERR_WORKER", cause: { message: "out of memory" } } });
    await expect(model.complete("c")).rejects.toEqual(code("ERR_WORKER"));
    await model.dispose();
  });

  test("the link keeps the process alive only while a call is under way", async () => {
    const { model, link } = await openModel();
    expect(link.held).toBe(false);
    const call = model.complete("a", { maxTokens: 20 });
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(link.held).toBe(true);
    await call;
    expect(link.held).toBe(false);
    await model.dispose();
  });
});
