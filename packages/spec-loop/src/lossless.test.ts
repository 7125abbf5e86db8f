import type { Drafter, LengthController } from "@diffuspec/contracts";
import {
  createFakeTokenizer,
  createFakeVerifier,
  emptyDrafter,
  eosDrafter,
  type FakeVerifier,
  oracleDrafter,
  plainDecode,
  randomDrafter,
  scramble,
  sometimesDrafter,
  treeDrafter,
  wrongDrafter,
} from "@diffuspec/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Completion, Round } from "./loop.ts";
import { createSampler } from "./sampler.ts";
import { openSession, type Session } from "./session.ts";

const DRAFTERS = ["oracle", "wrong", "sometimes", "random", "eos", "tree", "tree", "empty", "none"] as const;

const scenario = fc.record({
  model: fc.record({
    vocabularySize: fc.integer({ min: 2, max: 14 }),
    seed: fc.nat(1e6),
    order: fc.nat(4),
    ties: fc.constantFrom(0, 0, 2, 3),
    peaked: fc.constantFrom(1, 4, 9),
    exactTrunkOnly: fc.constantFrom(0, 4),
    contextLength: fc.constantFrom(14, 20, 64, 64, 64),
    maxNodes: fc.constantFrom(1, 2, 5, 24, 24),
    prefillsRoot: fc.boolean(),
  }),
  eos: fc.array(fc.nat(13), { maxLength: 2 }),
  prompt: fc.array(fc.nat(1000), { minLength: 1, maxLength: 14 }),
  drafter: fc.constantFrom(...DRAFTERS),
  salt: fc.nat(1e6),
  length: fc.constantFrom(0, 1, 2, 3, 5, 8, -1, -1),
  maxTokens: fc.nat(22),
  minTokens: fc.constantFrom(0, 0, 0, 3),
  sampler: fc.record({
    temperature: fc.constantFrom(0, 0, 0.7, 1.5),
    topK: fc.constantFrom(0, 0, 3),
    topP: fc.constantFrom(1, 1, 0.8),
    minP: fc.constantFrom(0, 0, 0.1),
    repetitionPenalty: fc.constantFrom(1, 1, 1.3),
    dryMultiplier: fc.constantFrom(0, 0, 2),
    dryAllowedLength: fc.constantFrom(1, 2, 4),
    seed: fc.nat(1e9),
  }),
  biased: fc.boolean(),
  stop: fc.constantFrom([], [], ["ab"], ["aab", "bb"], ["abba", "xa", "c"]),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

function makeDrafter(s: Scenario, verifier: FakeVerifier, onHead: () => void): Drafter | undefined {
  const { model } = verifier;
  const eos = s.eos.length > 0 ? s.eos[0]! % s.model.vocabularySize : 0;
  const drafters = {
    oracle: () => oracleDrafter(model),
    wrong: () => wrongDrafter(model),
    sometimes: () => sometimesDrafter(model, s.salt),
    random: () => randomDrafter(model.vocabularySize, s.salt),
    eos: () => eosDrafter(model, eos, s.salt),
    tree: () => treeDrafter(model, s.salt),
    empty: () => emptyDrafter(),
    none: () => undefined,
  };
  const drafter = drafters[s.drafter]();
  return (
    drafter && {
      ...drafter,
      async open() {
        const session = await drafter.open();
        return {
          ...session,
          propose(request) {
            if (request.head.length > 0) onHead();
            return session.propose(request);
          },
        };
      },
    }
  );
}

/** A length of its own every round, sometimes 0, sometimes far beyond the limit. */
function moody(seed: number): LengthController {
  let state = seed;
  return {
    name: "moody",
    begin() {},
    next() {
      state = scramble(state + 1);
      return [0, 1, 2, 4, 7, 1000][state % 6]!;
    },
    observe() {},
  };
}

async function run(session: Session, prompt: number[], options: Parameters<Session["generate"]>[1]) {
  const rounds: Round[] = [];
  const generation = session.generate(prompt, options);
  for (;;) {
    const step = await generation.next();
    if (step.done) return { rounds, completion: step.value };
    rounds.push(step.value);
  }
}

function checkBooks(rounds: Round[], completion: Completion, maxTokens: number): void {
  const { totals } = completion;
  expect(rounds.flatMap((round) => [...round.tokens])).toEqual([...completion.tokens]);
  expect(rounds.map((round) => round.text).join("")).toBe(completion.text);
  expect(completion.tokens.length).toBeLessThanOrEqual(maxTokens);
  expect(totals.tokens).toBe(completion.tokens.length);
  expect(totals.rounds).toBe(rounds.length);
  expect(totals.meanAcceptedTokens).toBe(rounds.length === 0 ? 0 : totals.tokens / rounds.length);
  expect(totals.accepted).toBe(rounds.reduce((sum, round) => sum + round.accepted, 0));
  rounds.forEach((round, i) => {
    expect(round.tokens.length).toBe(round.accepted + (round.bonus ? 1 : 0));
    expect(round.tokens.length).toBeGreaterThan(0);
    expect(round.texts.join("")).toBe(round.text);
    expect(round.finishReason).toBe(i === rounds.length - 1 ? completion.finishReason : null);
    expect(round.stats).toMatchObject({ accepted: round.accepted, committed: round.tokens.length });
    expect(round.stats.rows).toBe(round.stats.drafted + 1);
    if (round.stats.length === 0) expect(round.stats.drafted).toBe(0);
  });
}

it("drafted completions equal plain decoding: ids, text, end; also in the next turn of the same session", async () => {
  const seen: Record<string, number> = {};
  const count = (what: string, happened = true) => {
    seen[what] = (seen[what] ?? 0) + (happened ? 1 : 0);
  };
  await fc.assert(
    fc.asyncProperty(scenario, async (s) => {
      const size = s.model.vocabularySize;
      const eosIds = [...new Set(s.eos.map((id) => id % size))].filter(() => size > 2);
      const pieces = Array.from({ length: size }, (_, id) => ["a", "b", "ab", "c", "xa"][id % 5]!);
      const tokenizer = createFakeTokenizer(pieces, eosIds);
      const verifier = createFakeVerifier({ ...s.model, eosIds });
      const drafter = makeDrafter(s, verifier, () => count("head offered"));
      const sampling = { ...s.sampler, ...(s.biased && { logitBias: { 1: 1.5 } }) };
      const controller = s.length === -1 ? moody(s.salt) : undefined;
      const maxTokens = Math.max(s.maxTokens, s.minTokens);
      const session = await openSession({
        verifier,
        ...(drafter && { drafter }),
        controller: controller ?? { name: "k", begin() {}, next: () => s.length, observe() {} },
      });
      const reference = createFakeVerifier({ ...s.model, eosIds });
      let prompt = s.prompt.map((id) => id % size);
      for (let turn = 0; turn < 2 && prompt.length <= s.model.contextLength; turn++) {
        const withText = s.stop.length > 0 || s.salt % 2 === 0;
        const shared = { maxTokens, minTokens: s.minTokens, stop: s.stop };
        const text = () => (withText ? { text: tokenizer.stream() } : {});
        const expected = await plainDecode(reference, prompt, createSampler(sampling, size), { ...shared, ...text() });
        const before = verifier.passes;
        const { rounds, completion } = await run(session, prompt, { ...shared, ...text(), sampler: sampling });
        expect([...completion.tokens]).toEqual(expected.tokens);
        expect(completion.text).toBe(expected.text);
        expect(completion.finishReason).toBe(expected.finishReason);
        checkBooks(rounds, completion, maxTokens);
        const spared = s.model.prefillsRoot && rounds.length > 0 ? 1 : 0;
        expect(verifier.passes - before).toBe(rounds.length - spared);
        count("first token out of the prefill", spared === 1);
        const last = rounds.at(-1);
        const ids = [...prompt, ...completion.tokens];
        if (last) expect(session.length).toBe(ids.length - 1);

        for (const { stats, accepted } of rounds) {
          if (stats.drafted === 0) continue;
          count("none accepted", accepted === 0);
          count("some accepted", accepted > 0 && accepted < stats.drafted);
          count("all accepted", accepted === stats.drafted);
        }
        count("several rounds", rounds.length > 1);
        count(`greedy, ends by ${completion.finishReason}`, s.sampler.temperature === 0);
        count(`sampled, ends by ${completion.finishReason}`, s.sampler.temperature > 0);
        count(
          "EOS inside a draft",
          eosIds.includes(completion.tokens.at(-1)!) && (last?.accepted ?? 0) === last?.tokens.length,
        );
        count("cut inside a draft", last?.bonus === false);
        count(
          "last token drafted away from the limit",
          last !== undefined && last.stats.length > 0 && completion.finishReason === "length",
        );
        count("no token left to draft", last?.stats.length === 0 && completion.finishReason === "length");
        count("tentative rows", s.model.exactTrunkOnly > 0 && s.drafter === "tree" && rounds.length > 0);
        count("stop string", completion.finishReason === "stop" && !eosIds.includes(completion.tokens.at(-1)!));
        count("two turns", turn === 1);
        prompt = [...ids, ...prompt.slice(0, 2)];
      }
      await session.dispose();
      expect(verifier.openSessions).toBe(0);
    }),
    { numRuns: 10_000, seed: Number(process.env.FC_SEED ?? 20_260_101) },
  );
  if (process.env.FC_COUNTS) console.log(seen);
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThanOrEqual(300);
  expect(Object.keys(seen)).toHaveLength(19);
});

it("no knob changes the output", async () => {
  const options = { vocabularySize: 20, order: 2, seed: 5, peaked: 5, exactTrunkOnly: 3, maxNodes: 40 };
  const prompt = [1, 2, 3];
  for (const temperature of [0, 0.8]) {
    const sampler = { temperature, seed: 9, topP: 0.95 };
    const outputs = new Set<string>();
    for (const length of [0, 1, 2, 3, 4, 7, 12, 16, 30, 39])
      for (const maxDraftNodes of [0, 1, 3, 16, 39])
        for (const kind of ["tree", "sometimes"] as const) {
          const verifier = createFakeVerifier(options);
          const drafter =
            kind === "tree" ? treeDrafter(verifier.model, length) : sometimesDrafter(verifier.model, length);
          const controller = { name: "k", begin() {}, next: () => length, observe() {} };
          const session = await openSession({ verifier, drafter, controller, maxDraftNodes });
          const { completion } = await run(session, prompt, { maxTokens: 60, sampler });
          outputs.add(completion.tokens.join());
        }
    expect(outputs.size).toBe(1);
  }
});
