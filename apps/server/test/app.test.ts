import { describe, expect, it } from "vitest";
import { createApp } from "../src/index.ts";
import { createFakeModel, type FakeScript, modelError, STATS } from "./fake-model.ts";

function setup(script?: FakeScript, maxBodyBytes?: number) {
  const model = createFakeModel(script);
  const failures: unknown[] = [];
  const app = createApp({
    model,
    onError: (error) => failures.push(error),
    ...(maxBodyBytes !== undefined && { maxBodyBytes }),
  });
  const get = (path: string, headers: Record<string, string> = { host: "localhost" }) => app.request(path, { headers });
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    app.request("/v1/completions", {
      method: "POST",
      headers: { host: "127.0.0.1:8080", "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return { model, failures, app, get, post };
}

const ask = { model: "fake", prompt: "hello" };

const events = (text: string) =>
  text
    .split("\n\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/^data: /, ""));

describe("POST /v1/completions", () => {
  it("answers in one piece", async () => {
    const { post, model } = setup();
    const response = await post({ ...ask, max_tokens: 9, seed: 3 });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^cmpl-/),
      object: "text_completion",
      created: expect.any(Number),
      model: "fake",
      choices: [{ text: "one two three", index: 0, logprobs: null, finish_reason: "length" }],
      usage: {
        prompt_tokens: STATS.promptTokens,
        completion_tokens: STATS.tokens,
        total_tokens: 12,
        prompt_tokens_details: { cached_tokens: 2 },
        completion_tokens_details: { accepted_prediction_tokens: 4, rejected_prediction_tokens: 2 },
      },
      seed: 3,
      timings: {
        cache_n: 2,
        prompt_n: 3,
        prompt_ms: 10,
        prompt_per_second: 300,
        predicted_n: 7,
        predicted_ms: 35,
        predicted_per_second: 6000 / 35,
        draft_n: 6,
        draft_n_accepted: 4,
        rounds: 3,
      },
    });
    expect(model.calls[0]).toMatchObject({ prompt: "hello", outcome: "done" });
    expect(model.calls[0]!.options.signal.aborted).toBe(false);
  });

  it("streams chunks, timings and [DONE]", async () => {
    const { post } = setup({ pieces: ["one", "", " two"] });
    const response = await post({ ...ask, stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const lines = events(await response.text());
    expect(lines.pop()).toBe("[DONE]");
    const chunks = lines.map((line) => JSON.parse(line));
    expect(chunks.map((chunk) => [chunk.choices[0].text, chunk.choices[0].finish_reason])).toEqual([
      ["one", null],
      [" two", null],
      ["", "length"],
    ]);
    expect(chunks.map((chunk) => "timings" in chunk)).toEqual([false, false, true]);
    expect(chunks.some((chunk) => "usage" in chunk)).toBe(false);
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  });

  it("adds a chunk with the usage when asked", async () => {
    const { post } = setup();
    const response = await post({ ...ask, stream: true, stream_options: { include_usage: true } });
    const chunks = events(await response.text())
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 12 }, timings: { draft_n: 6 } });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null && !("timings" in chunk))).toBe(true);
  });

  it("reports an error after the headers inside the stream, and no [DONE]", async () => {
    const { post, failures } = setup({ fail: (_, round) => (round === 2 ? new Error("boom in /secret") : undefined) });
    const response = await post({ ...ask, stream: true });
    expect(response.status).toBe(200);
    const lines = events(await response.text());
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      error: { message: expect.stringContaining("failed"), type: "server_error", param: null, code: null },
    });
    expect(lines.join()).not.toContain("secret");
    expect(failures).toEqual([new Error("boom in /secret")]);
  });

  it("leaves the model when the stream is cancelled, even one that is deaf to its signal", async () => {
    for (const deaf of [false, true]) {
      const { post, model, failures } = setup({ endless: true, deaf });
      const reader = (await post({ ...ask, stream: true })).body!.getReader();
      await reader.read();
      await reader.cancel();
      const before = model.calls[0]!.rounds;
      while (model.calls[0]!.outcome === "running") await new Promise((resolve) => setImmediate(resolve));
      expect(model.calls[0]!.outcome).toBe("aborted");
      expect(model.calls[0]!.rounds - before).toBeLessThanOrEqual(1);
      expect(model.calls[0]!.options.signal.aborted).toBe(true);
      expect(failures).toEqual([]);
    }
  });
});

describe("errors", () => {
  const cases: [string, unknown, number, object][] = [
    [
      "ERR_OPTION",
      modelError("ERR_OPTION", { option: "topP" }),
      400,
      { type: "invalid_request_error", param: "top_p" },
    ],
    ["ERR_PROMPT", modelError("ERR_PROMPT"), 400, { type: "invalid_request_error", param: "prompt" }],
    ["ERR_CONTEXT_EXCEEDED", modelError("ERR_CONTEXT_EXCEEDED"), 400, { code: "context_length_exceeded" }],
    ["a full queue", modelError("ERR_OPTION", { queueFull: true }), 429, { code: "queue_full" }],
    ["ERR_CLOSED", modelError("ERR_CLOSED"), 503, { code: "shutting_down" }],
    ["ERR_WORKER", modelError("ERR_WORKER"), 500, { type: "server_error", code: "ERR_WORKER" }],
    ["any error", new TypeError("at /secret/path"), 500, { type: "server_error", code: null }],
    ["no error at all", "at /secret/path", 500, { type: "server_error", code: null }],
  ];
  it.each(cases)("%s", async (_, error, status, body) => {
    for (const stream of [false, true]) {
      const { post } = setup({ fail: () => error });
      const response = await post({ ...ask, stream });
      expect(response.status).toBe(status);
      expect(response.headers.get("retry-after")).toBe(status === 429 ? "1" : null);
      expect(response.headers.get("x-should-retry")).toBe(status === 500 ? "false" : null);
      const text = await response.text();
      expect(JSON.parse(text).error).toMatchObject(body);
      expect(Object.keys(JSON.parse(text).error)).toEqual(["message", "type", "param", "code"]);
      if (status === 500) expect(text).not.toMatch(/secret|\.ts|at /);
    }
  });

  it("tells onError of failures of the server, and of nothing else", async () => {
    const { post, failures } = setup({ fail: (call) => [modelError("ERR_PROMPT"), new Error("boom")][call] });
    await post(ask);
    await post({ ...ask, n: 2 });
    expect(failures).toEqual([]);
    await post(ask);
    expect(failures).toEqual([new Error("boom")]);
  });

  it("health turns to 503 once the engine is lost", async () => {
    const { post, get } = setup({ fail: () => modelError("ERR_WORKER") });
    expect((await get("/health")).status).toBe(200);
    await post(ask);
    expect((await get("/health")).status).toBe(503);
  });

  it("refuses what is not a JSON object in UTF-8", async () => {
    const { post, app } = setup();
    for (const body of [
      "",
      "{",
      "NaN",
      `{"model":"fake","prompt":"a","temperature":NaN}`,
      "[".repeat(100_000),
      "[]",
      "1",
    ])
      expect((await post(body)).status).toBe(400);
    const body = new Uint8Array([...new TextEncoder().encode(`{"model":"fake","prompt":"`), 0xff, 0x22, 0x7d]);
    const headers = { host: "localhost" };
    expect((await app.request("/v1/completions", { method: "POST", headers, body })).status).toBe(400);
  });

  it("refuses a body over the limit, its last byte included", async () => {
    const body = JSON.stringify(ask);
    expect((await setup({}, body.length).post(body)).status).toBe(200);
    const response = await setup({}, body.length - 1).post(body);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: "request_too_large" } });
  });
});

describe("models, health and unknown routes", () => {
  it("lists the one model and gives its card", async () => {
    const { get } = setup();
    const card = { id: "fake", object: "model", created: expect.any(Number), owned_by: "diffuspec" };
    expect(await (await get("/v1/models")).json()).toEqual({ object: "list", data: [card] });
    expect(await (await get("/v1/models/fake")).json()).toEqual(card);
    const missing = await get("/v1/models/owner/name");
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ error: { code: "model_not_found", param: "model" } });
    expect(await (await get("/health")).json()).toEqual({ status: "ok" });
  });

  it("serves under another name", async () => {
    const app = createApp({ model: createFakeModel(), modelName: "owner/name" });
    const response = await app.request("/v1/models/owner/name", { headers: { host: "localhost" } });
    expect(response.status).toBe(200);
  });

  it("answers 404 with an error body", async () => {
    const { get, app } = setup();
    for (const path of ["/", "/v1/chat/completions", "/v1/completions"]) {
      const response = await get(path);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: "unknown_url" } });
    }
    const preflight = await app.request("/v1/completions", {
      method: "OPTIONS",
      headers: { host: "localhost", origin: "http://localhost:3000" },
    });
    expect(preflight.status).toBe(404);
  });
});

describe("Host and Origin, over every route of the app", () => {
  const { app, model } = setup();
  const routes = [
    ...app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => [method, path.replace(/:id.*/, "fake")]),
    ["GET", "/nowhere"],
  ] as [string, string][];
  const request = (method: string, path: string, headers: Record<string, string>) =>
    app.request(path, { method, headers, ...(method === "POST" && { body: JSON.stringify(ask) }) });

  it("knows the routes", () => expect(routes.map(([, path]) => path)).toContain("/v1/completions"));

  it.each(routes)("%s %s", async (method, path) => {
    const calls = model.calls.length;
    for (const host of [
      undefined,
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "192.168.0.1",
      "[::2]",
      "0.0.0.0",
    ]) {
      const response = await request(method, path, host === undefined ? {} : { host });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: { code: "host_not_allowed" } });
    }
    for (const origin of ["http://evil.example", "null", "http://localhost.evil.example", "https://evil.example:8080"])
      expect((await request(method, path, { host: "localhost", origin })).status).toBe(403);
    expect(model.calls.length).toBe(calls);
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"]) {
      const response = await request(method, path, { host, origin: "http://localhost:3000" });
      expect(response.status).toBe(path === "/nowhere" ? 404 : 200);
      expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});
