import { type CausalScorer, isDiffuSpecError, type SearchRequest, type SearchResult } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashScorer, later, latticeOf, lattices } from "./fixtures.ts";
import { BEAM_PAPER, type BeamOptions, createArgmaxSearch, createBeamSearch } from "./index.ts";

const context = Int32Array.of(11, 12);
const path = (result: SearchResult) => [...result.tree.tokens.subarray(1)];
const plain = (result: SearchResult | Promise<SearchResult>): SearchResult => {
  expect(result).not.toBeInstanceOf(Promise);
  return result as SearchResult;
};
const ln = Math.log;
/** ln p from a table of "previous>next" pairs, ln 0.01 for the rest. */
const bigram = (table: Record<string, number>): CausalScorer<number> => ({
  name: "bigram",
  begin: (ids) => ids[ids.length - 1],
  advance: (_, token) => token,
  score(states, candidates, out) {
    states.forEach((state, s) => {
      candidates.forEach((token, c) => {
        out[s * candidates.length + c] = ln(table[`${state}>${token}`] ?? 0.01);
      });
    });
  },
});

describe("Eq. 8 by hand", () => {
  // The marginals alone take 1 then 4; the bigram knows that 2 is followed by 4 and 1 by 3.
  const lattice = latticeOf([
    [
      [1, ln(0.5)],
      [2, ln(0.4)],
    ],
    [
      [4, ln(0.6)],
      [3, ln(0.3)],
    ],
  ]);
  const scorer = bigram({ "12>1": 0.5, "12>2": 0.5, "1>3": 0.5, "1>4": 0.01, "2>4": 0.9, "2>3": 0.1 });
  it("takes the path that both models like, with the sum of both", () => {
    const result = plain(createBeamSearch({ scorer }).search({ lattice, context, nodes: 9 }));
    expect(path(result)).toEqual([2, 4]);
    expect([...result.tree.parents]).toEqual([-1, 0, 1]);
    expect(result.tree.tokens[0]).toBe(12);
    expect(result.score).toBeCloseTo(0.5 * (ln(0.4) + ln(0.6)) + 0.5 * (ln(0.5) + ln(0.9)), 6);
  });
  it("a beam of 1 is greedy", () => {
    expect(path(plain(createBeamSearch({ scorer, beam: 1 }).search({ lattice, context, nodes: 9 })))).toEqual([1, 3]);
  });
  it("uses no more positions than nodes", () => {
    expect(path(plain(createBeamSearch({ scorer }).search({ lattice, context, nodes: 1 })))).toEqual([1]);
    expect(plain(createBeamSearch({ scorer }).search({ lattice, context, nodes: 0 }))).toEqual({
      tree: { tokens: Int32Array.of(12), parents: Int32Array.of(-1) },
      score: 0,
    });
  });
});

describe("a path that an EOS ends", () => {
  const scorer = hashScorer(1);
  // lambda 1: the scorer is silent and the numbers can be read off.
  const search = (scoring: BeamOptions["scoring"], positions: Parameters<typeof latticeOf>[0]) =>
    plain(
      createBeamSearch({ scorer, lambda: 1, eosIds: [0], scoring: scoring ?? "per-token" }).search({
        lattice: latticeOf(positions),
        context,
        nodes: 9,
      }),
    );
  const longer: Parameters<typeof latticeOf>[0] = [
    [
      [5, -0.5],
      [0, -1.2],
    ],
    [[6, -0.5]],
    [[7, -0.5]],
  ];
  it("must be better per token", () => {
    expect(path(search("per-token", longer))).toEqual([5, 6, 7]);
    expect(
      path(
        search("per-token", [
          longer[0].toReversed().map(([id, l]) => [id, l + (id === 0 ? 0.9 : 0)]),
          ...longer.slice(1),
        ]),
      ),
    ).toEqual([0]);
  });
  it("wins by being short under the paper's plain sum", () => {
    expect(search("paper", longer)).toMatchObject({ score: Math.fround(-1.2) });
    expect(path(search("paper", longer))).toEqual([0]);
    expect(BEAM_PAPER.scoring).toBe("paper");
  });
  it("of equals the longer wins", () => {
    expect(path(search("per-token", [[[0, -1], [5, -1]], [[6, -1]]]))).toEqual([5, 6]); // biome-ignore format: one line
  });
  it("takes no place in the beam and may be all there is", () => {
    expect(path(search("per-token", [[[0, -1]], [[6, -1]]]))).toEqual([0]);
    const narrow = createBeamSearch({ scorer, lambda: 1, eosIds: [0], beam: 1 });
    const lattice = latticeOf([[[0, -1], [5, -1.1]], [[6, -0.1]]]); // biome-ignore format: one line
    expect(path(plain(narrow.search({ lattice, context, nodes: 9 })))).toEqual([5, 6]);
  });
});

describe("the scorer", () => {
  const lattice = latticeOf([
    [
      [1, -0.1],
      [2, -0.2],
    ],
    [
      [1, -0.1],
      [2, -0.2],
    ],
    [[3, -0.1]],
  ]);
  it("is asked once a position where it is asynchronous", async () => {
    const scorer = hashScorer(7);
    const search = createBeamSearch({ scorer: later(scorer) });
    for (const calls of [3, 6]) {
      await search.search({ lattice, context, nodes: 9 });
      expect(scorer.calls).toBe(calls);
    }
  });
  it("may be asynchronous, with searches overlapping", async () => {
    await fc.assert(
      fc.asyncProperty(lattices(5, 4), lattices(5, 4), fc.integer(), async (a, b, seed) => {
        const search = createBeamSearch({ scorer: later(hashScorer(seed)), eosIds: [0] });
        const sync = createBeamSearch({ scorer: hashScorer(seed), eosIds: [0] });
        const requests = [a, b, a].map((lattice) => ({ lattice, context, nodes: 9 }));
        const running = requests.map((request) => search.search(request));
        for (const one of running) expect(one).toBeInstanceOf(Promise);
        expect(await Promise.all(running)).toEqual(requests.map((request) => sync.search(request)));
      }),
      { numRuns: 200 },
    );
  });
  it("may know nothing: -Infinity everywhere still gives a path, the best ranks of it", () => {
    const scorer: CausalScorer<null> = {
      name: "nothing",
      begin: () => null,
      advance: () => null,
      score: (states, candidates, out) => void out.fill(Number.NEGATIVE_INFINITY, 0, states.length * candidates.length),
    };
    const result = plain(createBeamSearch({ scorer }).search({ lattice, context, nodes: 9 }));
    expect(path(result)).toEqual([1, 1, 3]);
    expect(result.score).toBe(Number.NEGATIVE_INFINITY);
  });
  it("that says NaN, or writes too little, is ERR_CONTRACT, and the search stays usable", async () => {
    let broken = true;
    const good = hashScorer(3);
    const search = createBeamSearch({
      scorer: { ...good, score: (s, c, out) => (broken ? void out.fill(Number.NaN, 0, 1) : good.score(s, c, out)) },
    });
    const request = { lattice, context, nodes: 9 };
    expect(() => search.search(request)).toThrow(expect.objectContaining({ code: "ERR_CONTRACT" }));
    broken = false;
    expect(search.search(request)).toEqual(createBeamSearch({ scorer: hashScorer(3) }).search(request));
    for (const score of [
      () => {},
      async () => {},
      async (_: unknown, __: unknown, out: Float64Array) => void out.fill(-1, 0, 1),
    ]) {
      const search = createBeamSearch({ scorer: { ...later(good), score } });
      await expect(search.search(request)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    }
  });
});

describe("bad input", () => {
  const scorer = hashScorer(1);
  it.each<[string, object]>([
    ["no scorer", { scorer: undefined }],
    ["lambda above 1", { lambda: 1.5 }],
    ["lambda NaN", { lambda: Number.NaN }],
    ["a beam of 0", { beam: 0 }],
    ["half a beam", { beam: 2.5 }],
    ["another scoring", { scoring: "mean" }],
    ["a bad EOS", { eosIds: [1.5] }],
    ["an unknown option", { Beam: 3 }],
  ])("refuses %s", (_, options) => {
    try {
      createBeamSearch({ scorer, ...options } as BeamOptions);
      expect.unreachable();
    } catch (error) {
      expect(isDiffuSpecError(error) && error.code).toBe("ERR_OPTION");
    }
  });
  const lattice = latticeOf([[[1, -1]], [[2, -1]]]);
  it.each<[string, Partial<SearchRequest>]>([
    ["no context", { context: new Int32Array(0) }],
    ["negative nodes", { nodes: -1 }],
    ["an empty position", { lattice: { ...lattice, offsets: Int32Array.of(0, 1, 1) } }],
    ["arrays that are too short", { lattice: { ...lattice, tokens: Int32Array.of(1) } }],
    ["a probability above 1", { lattice: { ...lattice, logProbs: Float32Array.of(-1, 1) } }],
    ["NaN", { lattice: { ...lattice, logProbs: Float32Array.of(-1, Number.NaN) } }],
  ])("says ERR_CONTRACT for %s", (_, part) => {
    for (const search of [createBeamSearch({ scorer }), createArgmaxSearch()])
      expect(() => search.search({ lattice, context, nodes: 4, ...part })).toThrow(
        expect.objectContaining({ code: "ERR_CONTRACT" }),
      );
  });
  it("an unbounded beam gives up before it fills the memory", () => {
    const wide = latticeOf(Array.from({ length: 12 }, () => Array.from({ length: 15 }, (_, id) => [id, -1] as const)));
    const search = createBeamSearch({ scorer, lambda: 1, beam: Number.POSITIVE_INFINITY });
    expect(() => search.search({ lattice: wide, context, nodes: 12 })).toThrow(
      expect.objectContaining({ code: "ERR_CONTRACT" }),
    );
  });
});
