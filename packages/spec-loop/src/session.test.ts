import type { Draft, Drafter, Outcome, RoundObservation, Verifier } from "@diffuspec/contracts";
import {
  createFakeTokenizer,
  createFakeVerifier,
  createFakeVocabulary,
  createScriptedDrafter,
  foreignIdDrafter,
  oracleDrafter,
  overfullDrafter,
  overlongDrafter,
  plainDecode,
  silentDrafter,
  sometimesDrafter,
  throwingDrafter,
  treeDrafter,
} from "@diffuspec/testkit";
import { describe, expect, it } from "vitest";
import { collect, complete } from "./complete.ts";
import { fixedLength } from "./fixed-length.ts";
import type { GenerateOptions } from "./generate-options.ts";
import { createSampler } from "./sampler.ts";
import { openSession, type SessionOptions } from "./session.ts";

const PROMPT = Array.from({ length: 40 }, (_, i) => (i * 7) % 20);
const MODEL = { vocabularySize: 20, order: 3, seed: 4 };
const withCode = (code: string) => expect.objectContaining({ code });
const plain = async (verifier: Verifier, prompt: number[], maxTokens: number) =>
  (await plainDecode(verifier, prompt, createSampler({}, verifier.vocabularySize), { maxTokens })).tokens;

/** Calls `at` when the n-th call into verifier or drafter begins or ends; gives the parts so wired. */
function wired(verifier: Verifier, drafter: Drafter, at: (step: number) => void) {
  let step = 0;
  const around = <A extends unknown[], R>(call: (...args: A) => R | Promise<R>) => {
    return async (...args: A): Promise<R> => {
      at(step++);
      const result = await call(...args);
      at(step++);
      return result;
    };
  };
  const wiredVerifier: Verifier = {
    ...verifier,
    async open() {
      const s = await verifier.open();
      return {
        get length() {
          return s.length;
        },
        prefill: around(s.prefill),
        verify: around(s.verify),
        commit: around(async (path: Int32Array) => s.commit(path)),
        dispose: s.dispose,
      };
    },
  };
  const wiredDrafter: Drafter = {
    ...drafter,
    open: around(async () => {
      const s = await drafter.open();
      return {
        begin: around(async (start) => s.begin(start)),
        propose: around(async (request) => s.propose(request)),
        observe: around(async (outcome) => s.observe(outcome)),
        dispose: () => s.dispose(),
      } satisfies Awaited<ReturnType<Drafter["open"]>>;
    }),
  };
  return { verifier: wiredVerifier, drafter: wiredDrafter };
}

describe("abort and faults at every await", () => {
  const kinds = ["abort", "fault"] as const;
  it.each(kinds)("%s at each step in turn: a typed error, then the session decodes on correctly", async (kind) => {
    const inner = createFakeVerifier(MODEL);
    const expected = await plain(inner, PROMPT, 12);
    let clean = false;
    let failures = 0;
    for (let n = 0; !clean; n++) {
      expect(n).toBeLessThan(200);
      const controller = new AbortController();
      let armed = true;
      const parts = wired(createFakeVerifier({ ...MODEL, exactTrunkOnly: 3 }), treeDrafter(inner.model, n), (step) => {
        if (!armed || step !== n) return;
        armed = false;
        if (kind === "abort") controller.abort(new Error("enough"));
        else throw new TypeError("the disk is on fire");
      });
      const session = await openSession({ ...parts, controller: fixedLength(4) });
      const first = collect(session.generate(PROMPT, { maxTokens: 12, signal: controller.signal }));
      const outcome = await first.then(
        (completion) => [...completion.tokens],
        (error: Error & { code?: string }) => error,
      );
      if (outcome instanceof Error) {
        failures++;
        if (kind === "abort") expect(outcome).toMatchObject({ code: "ERR_ABORTED", name: "AbortError" });
        else expect(outcome instanceof TypeError ? outcome : outcome.cause).toBeInstanceOf(TypeError);
      } else expect(outcome).toEqual(expected);
      clean = armed;
      armed = false;
      expect([...(await collect(session.generate(PROMPT, { maxTokens: 12 }))).tokens]).toEqual(expected);
      await session.dispose();
    }
    expect(failures).toBeGreaterThan(20);
  });

  it("aborts in mid-prefill, between chunks", async () => {
    const verifier = createFakeVerifier({ ...MODEL, chunk: 8 });
    const session = await openSession({ verifier });
    const controller = new AbortController();
    const seen: number[] = [];
    const onPrefill = (done: number) => {
      seen.push(done);
      if (done >= 16) controller.abort();
    };
    const generation = session.generate(PROMPT, { maxTokens: 4, signal: controller.signal, onPrefill });
    await expect(generation.next()).rejects.toThrow(withCode("ERR_ABORTED"));
    expect(seen).toEqual([8, 16]);
    const again = await collect(session.generate(PROMPT, { maxTokens: 4 }));
    expect([...again.tokens]).toEqual(await plain(verifier, PROMPT, 4));
    expect(again.totals.reused).toBe(16);
  });

  it("an aborted signal starts nothing; an abort between rounds ends at the next", async () => {
    const verifier = createFakeVerifier(MODEL);
    const session = await openSession({ verifier });
    await expect(session.generate(PROMPT, { signal: AbortSignal.abort() }).next()).rejects.toThrow(
      withCode("ERR_ABORTED"),
    );
    expect(session.length).toBe(0);
    const controller = new AbortController();
    const generation = session.generate(PROMPT, { signal: controller.signal });
    expect((await generation.next()).done).toBe(false);
    controller.abort();
    await expect(generation.next()).rejects.toThrow(withCode("ERR_ABORTED"));
    expect(verifier.passes).toBe(1);
  });
});

describe("hostile drafters", () => {
  const bad: [string, () => Drafter, string][] = [
    ["id -1", () => foreignIdDrafter(-1), "ERR_DRAFT_INVALID"],
    ["id past the vocabulary", () => foreignIdDrafter(20), "ERR_DRAFT_INVALID"],
    ["id 2^31", () => foreignIdDrafter(2 ** 31), "ERR_DRAFT_INVALID"],
    ["too deep", overlongDrafter, "ERR_DRAFT_INVALID"],
    ["too many nodes", overfullDrafter, "ERR_DRAFT_INVALID"],
    ["nothing", () => createScriptedDrafter("x", () => undefined as unknown as Draft), "ERR_DRAFT_INVALID"],
    ["no tree", () => createScriptedDrafter("x", () => ({}) as Draft), "ERR_DRAFT_INVALID"],
    [
      "a generatedLength of NaN",
      () => {
        const tree = ({ root }: { root: number }) => ({ tokens: Int32Array.of(root), parents: Int32Array.of(-1) });
        return createScriptedDrafter("x", (scene) => ({ tree: tree(scene), generatedLength: Number.NaN }));
      },
      "ERR_DRAFT_INVALID",
    ],
    ["throws at once", () => throwingDrafter(new Error("boom")), "ERR_CONTRACT"],
    ["throws in round 2", () => throwingDrafter(new Error("boom"), 2), "ERR_CONTRACT"],
    ["throws no error", () => throwingDrafter("boom"), "ERR_CONTRACT"],
    ["never answers", silentDrafter, "ERR_DRAFT_TIMEOUT"],
  ];
  it.each(bad)("%s: a typed error, and the session is usable with skipped drafts", async (_, make, code) => {
    const verifier = createFakeVerifier(MODEL);
    let length = 3;
    const controller = { name: "switch", begin() {}, next: () => length, observe() {} };
    const session = await openSession({ verifier, drafter: make(), controller, draftTimeoutMs: 15 });
    const error = await collect(session.generate(PROMPT, { maxTokens: 9 })).catch((thrown) => thrown);
    expect(error).toMatchObject({ code });
    if (code === "ERR_CONTRACT") expect(error.cause).toBeDefined();
    length = 0;
    expect([...(await collect(session.generate(PROMPT, { maxTokens: 9 }))).tokens]).toEqual(
      await plain(verifier, PROMPT, 9),
    );
    await session.dispose();
    expect(verifier.openSessions).toBe(0);
  });

  it("a typed error of the drafter passes through as it is", async () => {
    const typed = await complete({ verifier: createFakeVerifier(MODEL) }, []).catch((error) => error);
    const parts = { verifier: createFakeVerifier(MODEL), drafter: throwingDrafter(typed) };
    expect(await complete(parts, PROMPT).catch((error) => error)).toBe(typed);
  });

  it("a hanging drafter can be aborted; its signal fires, its session is disposed, a fresh one is opened", async () => {
    const verifier = createFakeVerifier(MODEL);
    const good = oracleDrafter(verifier.model);
    const log: string[] = [];
    let hang = true;
    const drafter: Drafter = {
      ...good,
      async open() {
        log.push("open");
        const session = await good.open();
        return {
          ...session,
          propose(request) {
            if (!hang) return session.propose(request);
            request.signal.addEventListener("abort", () => log.push("told"));
            return new Promise<Draft>(() => {});
          },
          dispose: () => void log.push("dispose"),
        };
      },
    };
    const session = await openSession({ verifier, drafter });
    const controller = new AbortController();
    const first = collect(session.generate(PROMPT, { maxTokens: 9, signal: controller.signal }));
    setTimeout(() => controller.abort(), 5);
    await expect(first).rejects.toThrow(withCode("ERR_ABORTED"));
    hang = false;
    expect([...(await collect(session.generate(PROMPT, { maxTokens: 9 }))).tokens]).toEqual(
      await plain(verifier, PROMPT, 9),
    );
    expect(log).toEqual(["open", "told", "dispose", "open"]);
    await session.dispose();
    expect(log.at(-1)).toBe("dispose");
  });
});

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

describe("rounds and totals", () => {
  it("an oracle commits k + 1 tokens a round, exactly up to maxTokens", async () => {
    const verifier = createFakeVerifier(MODEL);
    const parts = { verifier, drafter: oracleDrafter(verifier.model), controller: fixedLength(5) };
    const { totals, tokens } = await complete(parts, PROMPT, { maxTokens: 20 });
    expect(tokens).toHaveLength(20);
    expect(totals).toMatchObject({
      tokens: 20,
      rounds: 4,
      accepted: 16,
      drafted: 16,
      meanAcceptedTokens: 5,
      reused: 0,
    });
    const { prefillMs, draftMs, searchMs, verifyMs, otherMs, wallMs } = totals;
    expect(prefillMs + draftMs + searchMs + verifyMs + otherMs).toBeCloseTo(wallMs, 6);
  });

  it("without a drafter a round is one row and one token", async () => {
    const session = await openSession({ verifier: createFakeVerifier(MODEL) });
    for await (const round of session.generate(PROMPT, { maxTokens: 5 }))
      expect(round).toMatchObject({ accepted: 0, bonus: true, stats: { length: 0, drafted: 0, rows: 1, draftMs: 0 } });
  });

  it.each([
    [false, [[3], [], [3]]],
    [true, [[3], [3], [3]]],
  ])("rows of an idle round show what the drafter wants where whenIdle is %s", async (whenIdle, shown) => {
    const verifier = createFakeVerifier(MODEL);
    const oracle = oracleDrafter(verifier.model);
    const seen: number[][] = [];
    const drafter: Drafter = {
      ...oracle,
      needs: { topK: 3, whenIdle },
      async open() {
        const session = await oracle.open();
        return {
          ...session,
          observe(outcome) {
            if (outcome.idle && !whenIdle) {
              expect(() => outcome.rows.top(0)).toThrow();
              seen.push([]);
            } else seen.push([outcome.rows.top(0).length]);
            return session.observe(outcome);
          },
        };
      },
    };
    const lengths = [2, 0, 2];
    const controller = { name: "script", begin() {}, next: () => lengths.shift()!, observe() {} };
    await complete({ verifier, drafter, controller }, PROMPT, { maxTokens: 7 });
    expect(seen).toEqual(shown);
  });

  it("drafter and controller observe every round, skipped ones too; search time is told apart", async () => {
    const verifier = createFakeVerifier(MODEL);
    const outcomes: Outcome[] = [];
    const seen: RoundObservation[] = [];
    const oracle = oracleDrafter(verifier.model);
    const needs: unknown[] = [];
    const drafter: Drafter = {
      ...oracle,
      needs: { topK: 3, taps: ["output"] },
      async open() {
        const session = await oracle.open();
        return {
          ...session,
          propose: async (request) => ({ ...(await session.propose(request)), searchMs: 0, generatedLength: 2 }),
          observe(outcome) {
            outcomes.push({ ...outcome, committed: outcome.committed.slice() });
            needs.push([outcome.rows.top(0).length, outcome.rows.tap(0, "output").length]);
            return session.observe(outcome);
          },
        };
      },
    };
    const lengths = [3, 0, 99, 2, 2, 2];
    const limits: number[] = [];
    const controller = {
      name: "script",
      begin() {},
      next({ limit }: { limit: number }) {
        limits.push(limit);
        return lengths.shift()!;
      },
      observe: (round: RoundObservation) => void seen.push(round),
    };
    const { tokens } = await complete({ verifier, drafter, controller, maxDraftNodes: 6 }, PROMPT, { maxTokens: 13 });
    expect(limits).toEqual([6, 6, 6]);
    expect(
      seen.map(({ length, drafted, accepted, generatedLength, rows }) => [
        length,
        drafted,
        accepted,
        generatedLength,
        rows,
      ]),
    ).toEqual([
      [3, 3, 3, 2, 4],
      [0, 0, 0, 0, 1],
      [6, 6, 6, 2, 7],
      [0, 0, 0, 0, 1],
    ]);
    expect(outcomes.flatMap((outcome) => [...outcome.committed])).toEqual([...tokens]);
    for (const { path, committed } of outcomes) expect(path.length).toBe(committed.length);
    expect(needs).toEqual([
      [3, 8],
      [3, 8],
      [3, 8],
      [3, 8],
    ]);
  });

  it("asks the verifier for logits only where the sampler reads them", async () => {
    const asked: boolean[] = [];
    const inner = createFakeVerifier({ ...MODEL, eosIds: [3] });
    const verifier: Verifier = {
      ...inner,
      async open() {
        const session = await inner.open();
        return {
          get length() {
            return session.length;
          },
          prefill: session.prefill,
          verify(tree, needs) {
            asked.push(needs.logits);
            return session.verify(tree, needs);
          },
          commit: session.commit,
          dispose: session.dispose,
        };
      },
    };
    await complete({ verifier }, PROMPT, { maxTokens: 2, eosIds: [] });
    await complete({ verifier }, PROMPT, { maxTokens: 1, sampler: { temperature: 1 } });
    await complete({ verifier }, PROMPT, { maxTokens: 4, minTokens: 2 });
    expect(asked.slice(0, 5)).toEqual([false, false, true, true, true]);
    expect(asked.slice(5).every((logits) => !logits)).toBe(true);
  });

  it("a custom sampler takes part as it is", async () => {
    const verifier = createFakeVerifier(MODEL);
    const cycle = {
      argmaxOnly: false,
      temperature: 0,
      noise: () => 0,
      token: (_: Float32Array, position: number, ids: Int32Array) => (ids[ids.length - 1]! + position) % 20,
    };
    const parts = { verifier, drafter: sometimesDrafter(verifier.model) };
    const { tokens } = await complete(parts, PROMPT, { sampler: cycle, maxTokens: 25 });
    expect([...tokens]).toEqual((await plainDecode(verifier, PROMPT, cycle, { maxTokens: 25 })).tokens);
    const wild = { ...cycle, token: () => 20 };
    await expect(complete({ verifier }, PROMPT, { sampler: wild })).rejects.toThrow(withCode("ERR_CONTRACT"));
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

describe("broken verifiers and bad input", () => {
  const breaking = (change: (rows: { count: number; exact: number }) => object): Verifier => {
    const inner = createFakeVerifier(MODEL);
    return {
      ...inner,
      async open() {
        const session = await inner.open();
        return {
          get length() {
            return session.length;
          },
          prefill: session.prefill,
          verify: async (tree, needs) => {
            const rows = await session.verify(tree, needs);
            return { ...rows, ...change(rows) };
          },
          commit: session.commit,
          dispose: session.dispose,
        };
      },
    };
  };
  it.each([
    ["no exact row", () => ({ exact: 0 })],
    ["more exact rows than rows", () => ({ exact: 99 })],
    ["a row too many", ({ count }: { count: number }) => ({ count: count + 1 })],
    ["an argmax of -1 (a row of NaN)", () => ({ argmax: () => -1 })],
    ["an argmax past the vocabulary", () => ({ argmax: () => 20 })],
  ])("%s is ERR_CONTRACT", async (_, change) => {
    await expect(complete({ verifier: breaking(change) }, PROMPT)).rejects.toThrow(withCode("ERR_CONTRACT"));
  });
  it("a sampled row of NaN is ERR_CONTRACT", async () => {
    const verifier = breaking(() => ({ logits: () => new Float32Array(20).fill(Number.NaN) }));
    const run = complete({ verifier }, PROMPT, { sampler: { temperature: 1 } });
    await expect(run).rejects.toThrow(withCode("ERR_CONTRACT"));
  });
  it.each([-1, 1.5, Number.NaN, "3"])("a controller that asks for %s tokens is ERR_CONTRACT", async (length) => {
    const verifier = createFakeVerifier(MODEL);
    const controller = { name: "odd", begin() {}, next: () => length as number, observe() {} };
    const run = complete({ verifier, controller, drafter: oracleDrafter(verifier.model) }, PROMPT);
    await expect(run).rejects.toThrow(withCode("ERR_CONTRACT"));
  });
  it.each<[object, string]>([
    [{ maxTokens: -1 }, "ERR_OPTION"],
    [{ maxTokens: 1.5 }, "ERR_OPTION"],
    [{ maxTokens: Number.NaN }, "ERR_OPTION"],
    [{ maxTokens: Number.POSITIVE_INFINITY }, "ERR_OPTION"],
    [{ maxTokens: 3, minTokens: 4 }, "ERR_OPTION"],
    [{ stop: ["x"] }, "ERR_OPTION"],
    [{ stop: [""], text: createFakeTokenizer([]).stream() }, "ERR_OPTION"],
    [{ stop: "x" }, "ERR_OPTION"],
    [{ eosIds: [20] }, "ERR_OPTION"],
    [{ max_tokens: 3 }, "ERR_OPTION"],
    [{ sampler: { temperature: -1 } }, "ERR_OPTION"],
    [{ sampler: null }, "ERR_OPTION"],
  ])("generate refuses %j", async (options, code) => {
    const session = await openSession({ verifier: createFakeVerifier(MODEL) });
    expect(() => session.generate(PROMPT, options as Partial<GenerateOptions>)).toThrow(withCode(code));
  });
  it.each([[[]], [[-1]], [[20]], [[0.5]], [[Number.NaN]]])("prompt %j is ERR_PROMPT", async (prompt) => {
    const session = await openSession({ verifier: createFakeVerifier(MODEL) });
    expect(() => session.generate(prompt)).toThrow(withCode("ERR_PROMPT"));
  });
  it("openSession refuses other contract versions, other vocabularies, bad options", async () => {
    const vocabulary = createFakeVocabulary([..."abcdefghijklmnopqrst"]);
    const verifier = createFakeVerifier({ ...MODEL, vocabulary });
    const drafter = oracleDrafter(verifier.model);
    const refused = (options: object, code: string) =>
      expect(openSession(options as SessionOptions)).rejects.toThrow(withCode(code));
    await refused({ verifier, drafter: { ...drafter, contractVersion: 2 } }, "ERR_CONTRACT");
    await refused({ verifier: { ...verifier, contractVersion: 0 } }, "ERR_CONTRACT");
    await refused({ verifier, draftTimeoutMs: 0 }, "ERR_OPTION");
    await refused({ verifier, draftTimeoutMs: Number.NaN }, "ERR_OPTION");
    await refused({ verifier, maxDraftNodes: -1 }, "ERR_OPTION");
    await refused({ verifier, drafters: [] }, "ERR_OPTION");
    await refused({}, "ERR_OPTION");
    const other = createFakeVocabulary([..."abcdXfghijklmnopqrst"]);
    const error = await openSession({ verifier, drafter: { ...drafter, vocabulary: other } }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "ERR_VOCABULARY_MISMATCH", details: { id: 4, target: "e", drafter: "X" } });
    const short = createFakeVocabulary([..."abc"]);
    const absent = await openSession({ verifier, drafter: { ...drafter, vocabulary: short } }).catch(
      (thrown) => thrown,
    );
    expect(absent).toMatchObject({
      code: "ERR_VOCABULARY_MISMATCH",
      details: { id: 3, target: "d", drafter: undefined },
    });
    const longer = createFakeVocabulary([..."abcdefghijklmnopqrst", "<mask>"]);
    await (await openSession({ verifier, drafter: { ...drafter, vocabulary: longer } })).dispose();
  });
});
