import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { greedy, outcome, request } from "../../test/fakes.ts";
import { createPromptLookup, PLD_SPEC_BENCH, PROMPT_LOOKUP_DEFAULTS, type PromptLookupOptions } from "./index.ts";

const open = async (ids: readonly number[], options: PromptLookupOptions = {}) => {
  const session = await createPromptLookup(options).open();
  await session.begin({ ids: Int32Array.from(ids), sampler: greedy });
  return session;
};
const draft = async (ids: readonly number[], options: PromptLookupOptions = {}, ask = request()) =>
  Array.from((await (await open(ids, options)).propose(ask)).tree.tokens);

describe("prompt lookup", () => {
  it("drafts what followed the longest suffix", async () => {
    // 2 3 was followed by 4, a lone 3 later by 9
    expect(await draft([1, 2, 3, 4, 5, 3, 9, 2, 3], { length: 2 })).toEqual([3, 4, 5]);
  });

  it("takes the latest or the earliest occurrence", async () => {
    const ids = [7, 1, 1, 1, 7, 2, 2, 2, 7];
    expect(await draft(ids, { length: 2 })).toEqual([7, 2, 2]);
    expect(await draft(ids, { length: 2, match: "earliest" })).toEqual([7, 1, 1]);
  });

  it("proposes the root alone where nothing matches", async () => {
    expect(await draft([1, 2, 3])).toEqual([3]);
    expect(await draft([5])).toEqual([5]);
  });

  it("clips at the end of the text, or refuses to", async () => {
    expect(await draft([1, 2, 3, 1], { length: 5 })).toEqual([1, 2, 3, 1]);
    expect(await draft([1, 2, 3, 1], { length: 5, clip: false })).toEqual([1]);
    expect(await draft([1, 2, 3, 1], { length: 3, clip: false })).toEqual([1, 2, 3, 1]);
  });

  it("goes further back for a full continuation in a loop", async () => {
    expect(await draft(Array(20).fill(4), { length: 6 })).toEqual(Array(7).fill(4));
    expect(await draft(Array(4).fill(4), { length: 6, maxNgram: 1 })).toEqual([4, 4, 4, 4]);
  });

  it("falls through to shorter suffixes when only full continuations count", async () => {
    // 8 9 is followed by too little, 9 by enough
    const ids = [9, 1, 2, 3, 8, 9, 8, 9];
    expect(await draft(ids, { length: 4, clip: false })).toEqual([9, 1, 2, 3, 8]);
    expect(await draft(ids, { length: 4, clip: false, minNgram: 2 })).toEqual([9]);
  });

  it("begins with the head and looks up behind it", async () => {
    const ids = [1, 2, 3, 4, 1];
    expect(await draft(ids, {}, request({ head: Int32Array.of(2, 3) }))).toEqual([1, 2, 3, 4, 1, 2, 3]);
    expect(await draft(ids, {}, request({ head: Int32Array.of(9) }))).toEqual([1, 9]);
    expect(await draft(ids, {}, request({ head: Int32Array.of(2, 3), length: 1 }))).toEqual([1, 2]);
  });

  it("keeps to length and nodes of the request", async () => {
    const ids = [1, 2, 3, 4, 5, 1];
    expect(await draft(ids, {}, request({ length: 2 }))).toEqual([1, 2, 3]);
    expect(await draft(ids, {}, request({ nodes: 1 }))).toEqual([1, 2]);
    expect(await draft(ids, {}, request({ nodes: 0 }))).toEqual([1]);
  });

  it("agrees with a naive scan, whatever was committed in between", async () => {
    const option = fc.record({
      maxNgram: fc.integer({ min: 1, max: 4 }),
      length: fc.integer({ min: 1, max: 5 }),
      match: fc.constantFrom("earliest" as const, "latest" as const),
      clip: fc.boolean(),
    });
    const text = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(text, text, fc.array(fc.nat(3), { maxLength: 3 }), option, async (ids, more, head, options) => {
        const session = await open(ids, options);
        for (const id of more)
          await session.observe(outcome({ tokens: Int32Array.of(0), parents: Int32Array.of(-1) }, [], [id]));
        const { tree } = await session.propose(request({ head: Int32Array.from(head), length: 50 }));
        expect(Array.from(tree.tokens).slice(1)).toEqual([
          ...head,
          ...naive([...ids, ...more, ...head], head.length, options),
        ]);
      }),
      { numRuns: 2000 },
    );
  });

  it("reuses an equal prefix and forgets another one", async () => {
    const session = await open([1, 2, 3, 1]);
    await session.begin({ ids: Int32Array.of(1, 2, 3, 1, 2), sampler: greedy });
    expect(Array.from((await session.propose(request())).tree.tokens)).toEqual([2, 3, 1, 2]);
    await session.begin({ ids: Int32Array.of(8, 2), sampler: greedy });
    expect(Array.from((await session.propose(request())).tree.tokens)).toEqual([2]);
  });

  it("keeps interleaved sessions apart", async () => {
    const drafter = createPromptLookup();
    const [a, b] = [await drafter.open(), await drafter.open()];
    await a.begin({ ids: Int32Array.of(1, 2, 1), sampler: greedy });
    await b.begin({ ids: Int32Array.of(1, 5, 1), sampler: greedy });
    expect((await a.propose(request())).tree.tokens[1]).toBe(2);
    expect((await b.propose(request())).tree.tokens[1]).toBe(5);
  });

  it("refuses bad options and calls out of order", async () => {
    const bad = [
      { maxNgram: 0 },
      { minNgram: 4 },
      { length: 1.5 },
      { length: Number.NaN },
      { match: "first" },
      { ngram: 3 },
    ];
    for (const options of bad)
      expect(() => createPromptLookup(options as PromptLookupOptions)).toThrow(
        expect.objectContaining({ code: "ERR_OPTION" }),
      );
    const session = await createPromptLookup().open();
    expect(() => session.propose(request())).toThrow(expect.objectContaining({ code: "ERR_CONTRACT" }));
    await session.dispose();
    expect(() => session.propose(request())).toThrow(expect.objectContaining({ code: "ERR_CLOSED" }));
    const aborted = await open([1]);
    expect(() => aborted.propose(request({ signal: AbortSignal.abort() }))).toThrow(
      expect.objectContaining({ code: "ERR_ABORTED" }),
    );
    expect(createPromptLookup(PLD_SPEC_BENCH).needs).toEqual({});
  });
});

/** The same rule by brute force; occurrences that end inside the tentative tail do not count. */
function naive(text: number[], tail: number, options: PromptLookupOptions): number[] {
  const { maxNgram, minNgram, length, match, clip } = { ...PROMPT_LOOKUP_DEFAULTS, ...options };
  for (let n = Math.min(maxNgram, text.length); n >= minNgram; n--) {
    const suffix = text.slice(text.length - n).join();
    const ends: number[] = [];
    for (let end = n; end < text.length && end <= text.length - tail; end++)
      if (text.slice(end - n, end).join() === suffix) ends.push(end);
    const full = ends.filter((end) => end + length <= text.length);
    const end = match === "earliest" ? (clip ? ends[0] : full[0]) : (full.at(-1) ?? (clip ? ends[0] : undefined));
    if (end !== undefined) return text.slice(end, end + length);
  }
  return [];
}
