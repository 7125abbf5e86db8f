import { describe, expect, test } from "vitest";
import { code, drain, long, openModel } from "../test/open-model.ts";

describe("a call", () => {
  test("gives its tokens as they come, then the summary, and both agree", async () => {
    const { model } = await openModel();
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
    const { model } = await openModel();
    const options = { maxTokens: 60, temperature: 0.7, seed: 5 };
    const plain = await model.complete("hello hello ", { ...options, drafter: "none" });
    const drafted = await model.complete("hello hello ", { ...options, drafter: "prompt-lookup" });
    expect(drafted.ids).toEqual(plain.ids);
    expect(plain.stats.meanAcceptedTokens).toBe(1);
    await model.dispose();
  });

  test("takes ids as they are, and nothing else", async () => {
    const { model } = await openModel();
    expect((await model.complete(Int32Array.of(1, 2, 3), { maxTokens: 2 })).stats.promptTokens).toBe(3);
    await expect(model.complete([1, 2] as never)).rejects.toEqual(code("ERR_PROMPT"));
    await expect(model.complete(Int32Array.of(9999))).rejects.toEqual(code("ERR_PROMPT"));
    await expect(model.complete(new Int32Array(5000))).rejects.toEqual(code("ERR_CONTEXT_EXCEEDED"));
    await model.dispose();
  });

  test("takes a conversation, as it was when the call was made, and refuses what is none", async () => {
    const { model } = await openModel();
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
    const { model } = await openModel();
    await expect(model.complete("x", options as never)).rejects.toEqual(code("ERR_OPTION"));
    await expect(model.complete("x", options as never)).rejects.toThrow(message);
    expect((await model.complete("x", { maxTokens: 3 })).ids.length).toBeLessThanOrEqual(3);
    await model.dispose();
  });

  test("that cannot be sent fails alone", async () => {
    const { model } = await openModel();
    const odd = new Map([[() => 1, 1]]) as never;
    const calls = [model.complete("x", { logitBias: odd }), model.complete("y", { maxTokens: 2 })];
    await expect(calls[0]).rejects.toEqual(code("ERR_OPTION"));
    expect((await calls[1]!).ids.length).toBe(2);
    expect(() => model.session({ draftr: "dlm" } as never)).toThrow("draftr");
    expect(() => model.session({ drafter: "magic" } as never)).toThrow("magic");
    await model.dispose();
  });

  test("uses the ids as they were when it was made", async () => {
    const { model } = await openModel();
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
    const { model } = await openModel();
    await expect(model.inspect()).rejects.toEqual(code("ERR_WORKER"));
    await expect(model.inspect()).rejects.toThrow("no inspection here");
    await model.dispose();
  });
});

describe("a session", () => {
  test("continues what was said, computes only what is new, and equals one long prompt", async () => {
    const { model } = await openModel();
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
    const { model } = await openModel();
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
    const { model, engine } = await openModel();
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
