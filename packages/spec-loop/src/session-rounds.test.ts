import type { Drafter, Outcome, RoundObservation } from "@diffuspec/contracts";
import { createFakeVerifier, oracleDrafter, plainDecode, sometimesDrafter } from "@diffuspec/testkit";
import { describe, expect, it } from "vitest";
import { MODEL, PROMPT, plain, withCode, withSessions } from "../test/session-parts.ts";
import { complete } from "./complete.ts";
import { fixedLength } from "./fixed-length.ts";
import { openSession } from "./session.ts";

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

  it("a first token out of the prefill is a round without a pass: seen by the drafter, not by the controller", async () => {
    const verifier = createFakeVerifier({ ...MODEL, prefillsRoot: true });
    const oracle = oracleDrafter(verifier.model);
    const outcomes: [number, boolean | undefined, number][] = [];
    const drafter: Drafter = {
      ...oracle,
      needs: { topK: 3, whenIdle: false },
      async open() {
        const session = await oracle.open();
        return {
          ...session,
          observe(outcome) {
            outcomes.push([outcome.committed.length, outcome.idle, outcome.rows.top(0).length]);
            return session.observe(outcome);
          },
        };
      },
    };
    const observed: number[] = [];
    const controller = { ...fixedLength(5), observe: (round: RoundObservation) => void observed.push(round.rows) };
    const { totals, tokens } = await complete({ verifier, drafter, controller }, PROMPT, { maxTokens: 13 });
    expect([...tokens]).toEqual(await plain(createFakeVerifier(MODEL), PROMPT, 13));
    expect(totals).toMatchObject({ rounds: 3, accepted: 10, drafted: 10 });
    expect(verifier.passes).toBe(2);
    expect(observed).toEqual([6, 6]);
    expect(outcomes).toEqual([
      [1, undefined, 3],
      [6, undefined, 3],
      [6, undefined, 3],
    ]);
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
    const verifier = withSessions(createFakeVerifier({ ...MODEL, eosIds: [3] }), (session) => ({
      verify(tree, needs) {
        asked.push(needs.logits);
        return session.verify(tree, needs);
      },
    }));
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
