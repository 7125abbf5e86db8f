import type { Rows, Verifier } from "@diffuspec/contracts";
import { createFakeTokenizer, createFakeVerifier, createFakeVocabulary, oracleDrafter } from "@diffuspec/testkit";
import { describe, expect, it } from "vitest";
import { MODEL, PROMPT, withCode, withSessions } from "../test/session-parts.ts";
import { complete } from "./complete.ts";
import type { GenerateOptions } from "./generate-options.ts";
import { openSession, type SessionOptions } from "./session.ts";

describe("broken verifiers and bad input", () => {
  const breaking = (change: (rows: Rows) => Partial<Rows>): Verifier =>
    withSessions(createFakeVerifier({ ...MODEL, prefillsRoot: true }), (session) => ({
      prefill: async (ids, options) => {
        const { root, ...done } = await session.prefill(ids, options);
        return { ...done, root: { ...root!, ...change(root!) } };
      },
      verify: async (tree, needs) => {
        const rows = await session.verify(tree, needs);
        return { ...rows, ...change(rows) };
      },
    }));
  it.each([
    ["no exact row", () => ({ exact: 0 })],
    ["more exact rows than rows", () => ({ exact: 99 })],
    ["a row too many", ({ count }: { count: number }) => ({ count: count + 1 })],
    ["an argmax of -1 (a row of NaN)", () => ({ argmax: () => -1 })],
    ["an argmax past the vocabulary", () => ({ argmax: () => 20 })],
  ])("%s is ERR_CONTRACT, out of the prefill and in a round", async (_, change) => {
    await expect(complete({ verifier: breaking(change) }, PROMPT)).rejects.toThrow(withCode("ERR_CONTRACT"));
    let rows = 0;
    const later = breaking((all) => (rows++ === 0 ? {} : change(all)));
    await expect(complete({ verifier: later }, PROMPT)).rejects.toThrow(withCode("ERR_CONTRACT"));
    expect(rows).toBe(2);
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
