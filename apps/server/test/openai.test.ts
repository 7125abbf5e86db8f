import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { createApp, type Listening, listen } from "../src/index.ts";
import { createFakeModel, type FakeScript, modelError, until } from "./fake-model.ts";

/** The official client against a listening server. */
const open: Listening[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close({ graceMs: 0 })));
});

async function setup(script?: FakeScript, { maxRetries = 0, modelName = "fake" } = {}) {
  const model = createFakeModel(script);
  const server = await listen(createApp({ model, modelName }), { port: 0 });
  open.push(server);
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries });
  return { model, client };
}

const ask = { model: "fake", prompt: "hello" };

describe("the openai client", () => {
  it("lists and retrieves models", async () => {
    const { client } = await setup();
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toEqual(["fake"]);
    expect((await client.models.retrieve("fake")).owned_by).toBe("diffuspec");
    await expect(client.models.retrieve("other")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  it("knows a model whose name holds a slash", async () => {
    const { client } = await setup({}, { modelName: "org/name" });
    expect((await client.models.retrieve("org/name")).id).toBe("org/name");
    expect((await client.completions.create({ ...ask, model: "org/name" })).model).toBe("org/name");
  });

  it("completes", async () => {
    const { client, model } = await setup();
    const { data, request_id } = await client.completions
      .create({ ...ask, max_tokens: 8, stop: ["\n"] })
      .withResponse();
    expect(data.choices[0]).toMatchObject({ text: "one two three", finish_reason: "length" });
    expect(data.usage?.completion_tokens_details?.accepted_prediction_tokens).toBe(4);
    expect(request_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(model.calls[0]!.options).toMatchObject({ maxTokens: 8, stop: ["\n"] });
    expect(model.calls[0]!.options.signal.aborted).toBe(false);
  });

  it("streams the same text, with usage", async () => {
    const { client, model } = await setup({ pieces: ["caf\u00e9", " \u{1f600}", "\n\ndata: x\n\n", "\u2028"] });
    const stream = await client.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } });
    let text = "";
    let total: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? "";
      total = chunk.usage?.total_tokens ?? total;
    }
    expect(text).toBe("caf\u00e9 \u{1f600}\n\ndata: x\n\n\u2028");
    expect((await client.completions.create(ask)).choices[0]!.text).toBe(text);
    expect(total).toBe(12);
    expect(model.calls.map((call) => [call.outcome, call.options.signal.aborted])).toEqual([
      ["done", false],
      ["done", false],
    ]);
  });

  it("cancels the generation by leaving the stream", async () => {
    const { client, model } = await setup({ endless: true });
    const stream = await client.completions.create({ ...ask, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]!.text === "x") break;
    await until(() => model.calls[0]!.outcome !== "running");
    expect(model.calls[0]!.outcome).toBe("aborted");
    expect(model.calls[0]!.options.signal.aborted).toBe(true);
  });

  it("cancels a plain request by its own signal", async () => {
    const { client, model } = await setup({ endless: true });
    const stop = new AbortController();
    const answer = client.completions.create(ask, { signal: stop.signal });
    await until(() => model.calls.length > 0 && model.calls[0]!.rounds > 2);
    stop.abort();
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await until(() => model.calls[0]!.outcome === "aborted");
  });

  it("gets its own error classes", async () => {
    const errors = [
      modelError("ERR_CONTEXT_EXCEEDED"),
      modelError("ERR_OPTION", { queueFull: true }),
      new Error("boom"),
    ];
    const { client } = await setup({ fail: (call) => errors[call] });
    const create = (fields = {}) => client.completions.create({ ...ask, ...fields });
    await expect(create()).rejects.toMatchObject({ status: 400, code: "context_length_exceeded", param: "prompt" });
    await expect(create()).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    await expect(create()).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    await expect(create({ n: 2 })).rejects.toMatchObject({ status: 400, param: "n", type: "invalid_request_error" });
    await expect(create({ model: "gpt" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(client.chat.completions.create({ model: "fake", messages: [] })).rejects.toMatchObject({
      status: 404,
      code: "unknown_url",
    });
  });

  it("gets an error in mid-stream", async () => {
    const { client } = await setup({ fail: (_, round) => (round === 1 ? new Error("boom") : undefined) });
    const stream = await client.completions.create({ ...ask, stream: true });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
  });

  it("tries again after a full queue, and not after a failure", async () => {
    const errors = [modelError("ERR_OPTION", { queueFull: true }), undefined, new Error("boom")];
    const { client, model } = await setup({ fail: (call) => errors[call] }, { maxRetries: 2 });
    expect((await client.completions.create(ask)).choices[0]!.text).toBe("one two three");
    expect(model.calls.length).toBe(2);
    await expect(client.completions.create(ask)).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    expect(model.calls.length).toBe(3);
  });
});
