import {
  createFakeTokenizer,
  createFakeVerifier,
  oracleDrafter,
  silentDrafter,
  sometimesDrafter,
} from "@diffuspec/testkit";
import { describe, expect, it } from "vitest";
import { MODEL, PROMPT, plain, withCode } from "../test/session-parts.ts";
import { collect, complete } from "./complete.ts";
import { openSession } from "./session.ts";

describe("one session", () => {
  it("reuses the prefix of the last turn, and rolls back what a new prompt does not share", async () => {
    const verifier = createFakeVerifier(MODEL);
    const session = await openSession({ verifier, drafter: sometimesDrafter(verifier.model) });
    const first = await collect(session.generate(PROMPT, { maxTokens: 20 }));
    const next = [...PROMPT, ...first.tokens, 1, 2];
    const second = await collect(session.generate(next, { maxTokens: 20 }));
    expect(second.totals.reused).toBe(next.length - 3);
    expect([...second.tokens]).toEqual(await plain(verifier, next, 20));
    const other = [...PROMPT.slice(0, 10), 19, 18];
    const third = await collect(session.generate(other, { maxTokens: 20 }));
    expect(third.totals.reused).toBe(10);
    expect([...third.tokens]).toEqual(await plain(verifier, other, 20));
  });

  it("runs one generation at a time; the second does not disturb the first", async () => {
    const verifier = createFakeVerifier(MODEL);
    const session = await openSession({ verifier });
    const first = session.generate(PROMPT, { maxTokens: 3 });
    const one = (await first.next()).value;
    await expect(session.generate(PROMPT).next()).rejects.toThrow(withCode("ERR_CONTRACT"));
    const tokens = [...(one && "accepted" in one ? one.tokens : []), ...(await collect(first)).tokens.slice(1)];
    expect(tokens).toEqual(await plain(verifier, PROMPT, 3));
    expect((await collect(session.generate(PROMPT, { maxTokens: 3 }))).tokens).toHaveLength(3);
  });

  it("an early break frees it, and an unstarted generation never held it", async () => {
    const session = await openSession({ verifier: createFakeVerifier(MODEL) });
    session.generate(PROMPT);
    for await (const round of session.generate(PROMPT)) {
      expect(round.finishReason).toBeNull();
      break;
    }
    expect((await collect(session.generate(PROMPT, { maxTokens: 3 }))).tokens).toHaveLength(3);
  });

  it("dispose ends what runs with ERR_CLOSED, is idempotent, and refuses further use", async () => {
    const verifier = createFakeVerifier(MODEL);
    const session = await openSession({ verifier, drafter: silentDrafter() });
    const running = collect(session.generate(PROMPT));
    const refused = expect(running).rejects.toThrow(withCode("ERR_CLOSED"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await session.dispose();
    await refused;
    await session.dispose();
    expect(() => session.generate(PROMPT)).toThrow(withCode("ERR_CLOSED"));
    expect(verifier.openSessions).toBe(0);
  });

  it("dispose in mid-prefill ends with ERR_CLOSED too", async () => {
    const verifier = createFakeVerifier({ ...MODEL, chunk: 4 });
    const session = await openSession({ verifier });
    let disposed: Promise<void> | undefined;
    const onPrefill = () => {
      disposed ??= session.dispose();
    };
    await expect(collect(session.generate(PROMPT, { onPrefill }))).rejects.toThrow(withCode("ERR_CLOSED"));
    await disposed;
    expect(verifier.openSessions).toBe(0);
  });

  it("two sessions of one verifier and drafter, interleaved, do not disturb each other", async () => {
    const verifier = createFakeVerifier(MODEL);
    const drafter = sometimesDrafter(verifier.model);
    const [a, b] = [await openSession({ verifier, drafter }), await openSession({ verifier, drafter })];
    const [one, two] = await Promise.all([
      collect(a.generate(PROMPT, { maxTokens: 30 })),
      collect(b.generate([5, 4], { maxTokens: 30 })),
    ]);
    expect([...one.tokens]).toEqual(await plain(verifier, PROMPT, 30));
    expect([...two.tokens]).toEqual(await plain(verifier, [5, 4], 30));
  });
});

describe("where a text ends", () => {
  const verifier = createFakeVerifier({ ...MODEL, contextLength: 50 });
  it.each([
    [49, 1, 1, "length"],
    [49, 9, 1, "context"],
    [50, 9, 0, "context"],
    [48, 2, 2, "length"],
    [40, 0, 0, "length"],
  ])("prompt %i, maxTokens %i: %i tokens, %s", async (length, maxTokens, count, finishReason) => {
    const prompt = Array.from({ length }, (_, i) => i % 20);
    const completion = await complete({ verifier, drafter: oracleDrafter(verifier.model) }, prompt, { maxTokens });
    expect(completion.tokens).toHaveLength(count);
    expect(completion.finishReason).toBe(finishReason);
  });
  it("a prompt longer than the context is refused at once", async () => {
    const session = await openSession({ verifier });
    expect(() => session.generate(new Int32Array(51))).toThrow(withCode("ERR_CONTEXT_EXCEEDED"));
  });
  it("minTokens keeps EOS away, greedy and sampled", async () => {
    for (const temperature of [0, 1])
      for (let seed = 0; seed < 30; seed++) {
        const target = createFakeVerifier({ vocabularySize: 4, eosIds: [0, 2], seed });
        const options = { maxTokens: 12, minTokens: 6, sampler: { temperature, seed } };
        const { tokens } = await complete({ verifier: target, drafter: sometimesDrafter(target.model) }, [1], options);
        expect(tokens.length).toBeGreaterThanOrEqual(6);
        for (const id of tokens.slice(0, 6)) expect([1, 3]).toContain(id);
      }
  });
  it("holds back what may become a stop string, and lets it go when it does not", async () => {
    const pieces = ["a", "b", "c", "d"];
    const script = [0, 1, 1, 0, 1, 2, 3];
    const sampler = {
      argmaxOnly: false,
      temperature: 0,
      noise: () => 0,
      token: (_: Float32Array, position: number) => script[(position - 1) % script.length]!,
    };
    const target = createFakeVerifier({ vocabularySize: 4 });
    const session = await openSession({ verifier: target });
    const text = createFakeTokenizer(pieces).stream();
    const texts: string[] = [];
    for await (const round of session.generate([0], { sampler, text, stop: ["abc"] })) texts.push(...round.texts);
    expect(texts).toEqual(["", "", "abb", "", "", ""]);
    const flushed: string[] = [];
    const again = session.generate([0], { sampler, text, stop: ["abc"], maxTokens: 5 });
    for await (const round of again) flushed.push(...round.texts);
    expect(flushed).toEqual(["", "", "abb", "", "ab"]);
  });
});
