import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { parseFlags } from "../src/flags.ts";
import { runServer, type Surroundings } from "../src/run-server.ts";
import { createFakeModel, modelError, until } from "./fake-model.ts";

function setup(load?: Surroundings["load"]) {
  const seen = { out: "", err: "", disposed: 0, options: undefined as unknown };
  const signals = new EventEmitter();
  const model = createFakeModel({ endless: true });
  const surroundings: Surroundings = {
    load:
      load ??
      (async (options) => {
        seen.options = options;
        return { ...model, dispose: async () => void seen.disposed++ };
      }),
    stdout: (text) => (seen.out += text),
    stderr: (text) => (seen.err += text),
    signals,
    // So long that a test which waits for it fails.
    graceMs: 2 ** 30,
  };
  return { seen, signals, model, run: (...args: string[]) => runServer(args, surroundings) };
}

describe("diffuspec-server", () => {
  it("prints one line, serves, and ends with 0 on SIGTERM and on SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"]) {
      const { run, seen, signals } = setup();
      const code = run("--port", "0", "--model", "tiny", "--drafter", "none", "--threads", "measure");
      await until(() => seen.out !== "");
      const url = /^diffuspec-server: tiny at (http:\/\/127\.0\.0\.1:\d+\/v1)\n$/.exec(seen.out)![1]!;
      expect((await fetch(`${url}/models/tiny`)).status).toBe(200);
      signals.emit(signal);
      expect(await code).toBe(0);
      expect(seen).toMatchObject({
        err: "",
        disposed: 1,
        options: { model: "tiny", drafter: "none", threads: "measure" },
      });
      await expect(fetch(`${url}/models`)).rejects.toThrow();
    }
  });

  it("gives up loading at a signal, also where the model comes all the same", async () => {
    const refusing = setup(({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)));
    const code = refusing.run("--port", "0");
    refusing.signals.emit("SIGTERM");
    expect([await code, refusing.seen.err]).toEqual([0, ""]);

    let disposed = 0;
    const late = setup(
      ({ signal }) =>
        new Promise((resolve) =>
          signal.addEventListener("abort", () =>
            resolve({ ...createFakeModel({ endless: true }), dispose: async () => void disposed++ }),
          ),
        ),
    );
    const end = late.run("--port", "0");
    late.signals.emit("SIGINT");
    expect([await end, late.seen.out, disposed]).toEqual([0, "", 1]);
    expect(late.signals.eventNames()).toEqual([]);
  });

  it("cuts running requests at the second signal", async () => {
    const { run, seen, signals, model } = setup();
    const code = run("--port", "0");
    await until(() => seen.out !== "");
    const url = /http:\S+/.exec(seen.out)![0];
    const body = JSON.stringify({ model: "tiny-js", prompt: "a", stream: true });
    const answer = await fetch(`${url}/completions`, { method: "POST", body });
    const text = answer.text();
    signals.emit("SIGTERM");
    signals.emit("SIGTERM");
    await expect(text).rejects.toThrow();
    expect(await code).toBe(0);
    expect(signals.eventNames()).toEqual([]);
    await until(() => model.calls[0]!.outcome === "aborted");
  });

  it("helps", async () => {
    const { run, seen } = setup();
    expect(await run("--help")).toBe(0);
    expect(seen.out).toContain("--port N");
    expect(seen.options).toBeUndefined();
  });

  it.each([
    [["--nonsense"]],
    [["--port"]],
    [["--port", "x"]],
    [["--port", "65536"]],
    [["--port", "-1"]],
    [["--threads", "0"]],
    [["--drafter", "magic"]],
    [["word"]],
  ])("ends with 2 for %j, and loads nothing", async (args) => {
    const { run, seen } = setup();
    expect(await run(...args)).toBe(2);
    expect(seen.err).toMatch(/^diffuspec-server: .*--help/s);
    expect(seen).toMatchObject({ out: "", options: undefined });
  });

  it("ends with 1 where the model is missing, and 2 where an option of it is wrong", async () => {
    for (const [code, exit] of [
      ["ERR_MODEL_UNKNOWN", 1],
      ["ERR_OPTION", 2],
    ] as const) {
      const { run, seen } = setup(() => Promise.reject(modelError(code)));
      expect(await run()).toBe(exit);
      expect(seen.err).toContain("It failed");
    }
  });

  it("ends with 1 and frees the model where the port is taken", async () => {
    const first = setup();
    const running = first.run("--port", "0");
    await until(() => first.seen.out !== "");
    const second = setup();
    expect(await second.run("--port", /:(\d+)\//.exec(first.seen.out)![1]!)).toBe(1);
    expect(second.seen).toMatchObject({ disposed: 1, err: expect.stringContaining("EADDRINUSE") });
    first.signals.emit("SIGINT");
    expect(await running).toBe(0);
  });
});

it("leaves out of load() what was not said", () => {
  expect(parseFlags([])).toEqual({ help: false, port: 8080, modelName: "tiny-js", load: {} });
});

it("passes a registry and a precision on", () => {
  const load = { model: "mine", registry: "pairs.json", precision: "int4" };
  const flags = ["--model", "mine", "--registry", "pairs.json", "--precision", "int4"];
  expect(parseFlags(flags)).toMatchObject({ modelName: "mine", load });
  expect(() => parseFlags(["--precision", "q8"])).toThrow(/int8, fp32, int4/);
  const published = [
    "--dtype",
    "q4",
    "--exactness",
    "tolerant",
    "--drafter-model",
    "./d",
    "--drafter-preset",
    "dream-7b",
  ];
  expect(parseFlags(published).load).toEqual({
    dtype: "q4",
    exactness: "tolerant",
    drafterModel: { directory: "./d", preset: "dream-7b" },
  });
  expect(() => parseFlags(["--drafter-preset", "dream-7b"])).toThrow(/--drafter-model/);
  expect(() => parseFlags(["--dtype", "q5"])).toThrow(/q4f16/);
});

it("serves a model under the name that was typed, and a path under the model's own", () => {
  const name = (model: string) => parseFlags(["--model", model]).modelName;
  expect(["tiny-js", "org/name"].map(name)).toEqual(["tiny-js", "org/name"]);
  expect(["./m", "../m", "/m", ".", "C:\\m", "a/b/c"].map(name)).toEqual(Array(6).fill(undefined));
});
