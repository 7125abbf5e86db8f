import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { load, type Model } from "diffuspec";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApp, type Listening, listen } from "../src/index.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const directory = process.env.DIFFUSPEC_TEST_MODEL ?? here("../../../packages/model-tiny-js/model");
const missing = !existsSync(here("../../../packages/diffuspec/dist/worker.js"))
  ? "packages/diffuspec is not built"
  : !existsSync(`${directory}/manifest.json`)
    ? "packages/model-tiny-js/model is not there; set DIFFUSPEC_TEST_MODEL to a model directory"
    : undefined;

describe.skipIf(missing)(`the server on the real pair${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let model: Model;
  let server: Listening;
  let client: OpenAI;
  const prompt = "function add(a, b) {\n  return";
  const ask = () => ({ model: model.info.model, prompt, max_tokens: 24, seed: 1 });

  beforeAll(async () => {
    model = await load({ model: directory });
    server = await listen(createApp({ model }), { port: 0 });
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries: 0 });
  });
  afterAll(async () => {
    await server?.close({ graceMs: 0 });
    await model?.dispose();
  });

  it("gives what the model gives, whole and streamed, greedy and sampled", async () => {
    for (const temperature of [0, 0.7]) {
      const { text, stats } = await model.complete(prompt, { maxTokens: 24, seed: 1, temperature });
      const whole = await client.completions.create({ ...ask(), temperature });
      expect(whole.choices[0]!.text).toBe(text);
      expect(whole.usage).toMatchObject({ prompt_tokens: stats.promptTokens, completion_tokens: stats.tokens });
      let streamed = "";
      for await (const chunk of await client.completions.create({ ...ask(), temperature, stream: true }))
        streamed += chunk.choices[0]!.text;
      expect(streamed).toBe(text);
    }
  });

  it("repeats a completion by the seed of its answer", async () => {
    const first = await client.completions.create({ ...ask(), seed: null, temperature: 1 });
    const { seed } = first as unknown as { seed: number };
    const second = await client.completions.create({ ...ask(), seed, temperature: 1 });
    expect(second.choices[0]!.text).toBe(first.choices[0]!.text);
  });

  it("serves calls at once as one by one, and goes on after one was left", async () => {
    const alone = (await client.completions.create(ask())).choices[0]!.text;
    const many = Array.from({ length: 4 }, () => client.completions.create(ask()));
    for await (const _ of await client.completions.create({ ...ask(), max_tokens: 200, stream: true })) break;
    for (const answer of await Promise.all(many)) expect(answer.choices[0]!.text).toBe(alone);
    expect((await client.completions.create(ask())).choices[0]!.text).toBe(alone);
  });

  it("maps the model's refusals", async () => {
    const long = Array.from({ length: model.info.contextLength + 1 }, () => 5);
    await expect(client.completions.create({ ...ask(), prompt: long })).rejects.toMatchObject({
      status: 400,
      code: "context_length_exceeded",
    });
  });
});
