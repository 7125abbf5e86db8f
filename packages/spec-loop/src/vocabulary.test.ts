import type { Vocabulary } from "@diffuspec/contracts";
import { createFakeVocabulary } from "@diffuspec/testkit";
import { describe, expect, expectTypeOf, it } from "vitest";
import { assertSameVocabulary, type SessionOptions, type VocabularyGate } from "./index.ts";

const target = createFakeVocabulary(["a", "b", "c", "<|tool|>", "<|end|>"]);
const drafter = (...pieces: (string | undefined)[]): Vocabulary => ({
  size: pieces.length,
  fingerprint: "another",
  piece: (id) => pieces[id],
});
const mismatch = (details: object) =>
  expect.objectContaining({ code: "ERR_VOCABULARY_MISMATCH", details: expect.objectContaining(details) });

describe("assertSameVocabulary", () => {
  it("proves every id of the target, and lets the drafter have more", () => {
    expect(assertSameVocabulary(target, target)).toEqual([]);
    expect(assertSameVocabulary(target, drafter("a", "b", "c", "<|tool|>", "<|end|>", "<|mask|>"))).toEqual([]);
  });

  it("does not take a size and a fingerprint alone for difference", () => {
    expect(assertSameVocabulary(target, drafter("a", "b", "c", "<|tool|>", "<|end|>"))).toEqual([]);
  });

  it("names the first difference with both pieces", () => {
    const call = () => assertSameVocabulary(target, drafter("a", "x", "y", "<|tool|>", "<|end|>"));
    expect(call).toThrow('Token id 1 is "b" to the target and "x" to the drafter');
    expect(call).toThrow(mismatch({ id: 1, target: "b", drafter: "x" }));
    expect(() => assertSameVocabulary(target, drafter("a", "b", undefined, "<|tool|>", "<|end|>"))).toThrow("unused");
    expect(() => assertSameVocabulary(target, drafter("a", "b", "c"))).toThrow(mismatch({ id: 3, drafter: undefined }));
  });

  it("an exception holds for just the pieces it names", () => {
    const other = drafter("a", "b", "c", "<|mask|>", "<|end|>");
    const gate = (drafter: string | undefined, target = "<|tool|>"): VocabularyGate => ({
      exceptions: [{ id: 3, target, drafter }],
    });
    expect(assertSameVocabulary(target, other, gate("<|mask|>"))).toEqual([3]);
    expect(() => assertSameVocabulary(target, other, gate("<|msk|>"))).toThrow(mismatch({ id: 3 }));
    expect(() => assertSameVocabulary(target, other, gate("<|mask|>", "<|tools|>"))).toThrow(mismatch({ id: 3 }));
    expect(() => assertSameVocabulary(target, drafter("a", "z", "c", "<|mask|>", "<|end|>"), gate("<|mask|>"))).toThrow(
      mismatch({ id: 1 }),
    );
    const unused = drafter("a", "b", "c", undefined, "<|end|>");
    expect(assertSameVocabulary(target, unused, gate(undefined))).toEqual([3]);
    expect(assertSameVocabulary(target, target, gate("<|mask|>"))).toEqual([]);
  });

  it("a window compares the ids that a smaller drafter knows", () => {
    expect(assertSameVocabulary(target, drafter("a", "b", "c"), { window: 3 })).toEqual([]);
    expect(() => assertSameVocabulary(target, drafter("a", "b", "x"), { window: 3 })).toThrow(mismatch({ id: 2 }));
    expect(() => assertSameVocabulary(target, drafter("a", "b"), { window: 3 })).toThrow(mismatch({ id: 2 }));
  });

  it.each<[string, object]>([
    ["window", { window: 6 }],
    ["window", { window: 0 }],
    ["exceptions", { exceptions: "<|mask|>" }],
    ["exceptions", { exceptions: [{ id: -1, target: "a", drafter: "b" }] }],
    ["exceptions", { exceptions: [{ id: 1, target: "a", drafter: "a" }] }],
    ["exceptions", { exceptions: [1, 1].map((id) => ({ id, target: "a", drafter: "b" })) }],
    ["except", { except: [] }],
  ])("refuses a gate that makes no sense: %s", (name, gate) => {
    const call = () => assertSameVocabulary(target, target, gate as VocabularyGate);
    expect(call).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(call).toThrow(name);
  });

  it("a session takes the gate", () => {
    expectTypeOf<SessionOptions["vocabularyGate"]>().toEqualTypeOf<VocabularyGate | undefined>();
  });
});
