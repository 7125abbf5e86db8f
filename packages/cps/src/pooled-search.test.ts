import type { CausalScorer, Lattice, SearchResult } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashScorer, later, latticeOf, lattices } from "./fixtures.ts";
import { createPooledSearch, POOLED_DEFAULTS, type PooledOptions } from "./index.ts";

const context = Int32Array.of(11, 12);
const path = ({ tree }: SearchResult) => [...tree.tokens.subarray(1)];

/** A scorer that names these ids in every state. */
const naming = <State>(scorer: CausalScorer<State>, likely: readonly number[]): CausalScorer<State> => ({
  name: scorer.name,
  begin: (ids) => scorer.begin(ids),
  advance: (state, token) => scorer.advance(state, token),
  score: (states, candidates, out) => scorer.score(states, candidates, out),
  likely: () => likely,
});

/** ln p by a table: the id behind these ids, else -9. */
const table = (entries: Record<string, number>): CausalScorer<readonly number[]> => ({
  name: "table",
  begin: () => [],
  advance: (state, token) => [...state, token],
  score(states, candidates, out) {
    candidates.forEach((token, c) => {
      out[c] = entries[[...states[0], token].join()] ?? -9;
    });
  },
});

const find = (options: PooledOptions, lattice: Lattice, length?: number) =>
  createPooledSearch(options).search({
    lattice,
    context,
    nodes: 9,
    ...(length !== undefined && { length }),
  }) as SearchResult;

/** The rule by its definition. */
function definition(
  { scorer, drafterWeight: a, scorerWeight: b, unnamed, rest, cut }: Required<Omit<PooledOptions, "eosIds">>,
  lattice: Lattice,
  length: number,
) {
  const tokens: number[] = [];
  let chance = 1;
  let state = scorer.begin(context);
  for (let i = 0; i < length; i++) {
    const row = i < lattice.depth ? [lattice.offsets[i], lattice.offsets[i + 1]] : [0, 0];
    const ids = [...new Set([...lattice.tokens.subarray(row[0], row[1]), ...(scorer.likely?.(state) ?? [])])];
    if (ids.length === 0) break;
    const p = new Float64Array(ids.length);
    scorer.score([state], Int32Array.from(ids), p);
    const weights = ids.map((_, c) => {
      const lnQ = c < row[1] - row[0] ? lattice.logProbs[row[0] + c] : unnamed;
      return i < lattice.depth ? Math.exp(lnQ) ** a * Math.exp(p[c]) ** b : Math.exp(p[c]);
    });
    const best = weights.indexOf(Math.max(...weights));
    const all = i < lattice.depth ? weights.reduce((x, y) => x + y, Math.exp(rest)) : 1;
    if (i > 0 && chance * (weights[best] / all) < cut) break;
    chance *= weights[best] / all;
    tokens.push(ids[best]);
    state = scorer.advance(state, ids[best]);
  }
  return { tokens, chance };
}

describe("createPooledSearch", () => {
  it("by hand: takes what only the scorer thinks of where it is sure, and what only the drafter thinks of where it is not", () => {
    const lattice = latticeOf([[[1, Math.log(0.6)]], [[2, Math.log(0.9)]]]);
    const sure = naming(table({ "7": -0.1, "1": -6, "7,2": -3 }), [7]);
    expect(path(find({ scorer: sure }, lattice))).toEqual([7, 2]);
    const unsure = naming(table({ "7": -3, "1": -4, "1,2": -3 }), [7]);
    expect(path(find({ scorer: unsure }, lattice))).toEqual([1, 2]);
  });

  it("goes on behind the lattice by the scorer alone, as far as it is asked to", () => {
    const lattice = latticeOf([[[1, -0.1]]]);
    const scorer = naming(table({ "1": -0.1, "1,5": -0.5, "1,5,5": -0.5, "1,5,5,5": -3 }), [5]);
    expect(path(find({ scorer }, lattice))).toEqual([1]);
    expect(path(find({ scorer }, lattice, 3))).toEqual([1, 5, 5]);
    const cut = find({ scorer, cut: 0.1 }, lattice, 9);
    expect(path(cut)).toEqual([1, 5, 5]);
    expect(cut.generatedLength).toBe(9); // a cut is no end of text
    expect(path(find({ scorer: table({}) }, lattice, 3))).toEqual([1]);
    expect(path(find({ scorer }, lattice, 0))).toEqual([]);
  });

  it("ends with an EOS", () => {
    const lattice = latticeOf([[[1, -0.1]], [[0, -0.1]], [[2, -0.1]]]);
    const found = find({ scorer: hashScorer(1), eosIds: [0] }, lattice);
    expect(path(found)).toEqual([1, 0]);
    expect(found.generatedLength).toBe(1);
  });

  it("is its definition, with a scorer that answers at once or later", async () => {
    await fc.assert(
      fc.asyncProperty(
        lattices(5, 4),
        fc.integer(),
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 3 }).map((ids) => [...new Set(ids)]),
        fc.record({
          drafterWeight: fc.constantFrom(0.3, 0.7, 1),
          scorerWeight: fc.constantFrom(0.3, 0.7, 1),
          unnamed: fc.constantFrom(-9, -4.5, -1),
          rest: fc.constantFrom(-9, -4, 0),
          cut: fc.constantFrom(0, 0.01, 0.1, 0.5),
        }),
        fc.integer({ min: 0, max: 8 }),
        async (lattice, seed, likely, constants, length) => {
          const options = { ...constants, scorer: naming(hashScorer(seed), likely) };
          const expected = definition(options as Required<PooledOptions>, lattice, length);
          const found = find(options, lattice, length);
          expect(path(found)).toEqual(expected.tokens);
          expect(Math.exp(found.score)).toBeCloseTo(expected.chance, 9);
          const slow = { ...later(options.scorer), likely: () => likely };
          expect(await find({ ...options, scorer: slow }, lattice, length)).toEqual(found);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("refuses what it cannot work with", () => {
    const scorer = hashScorer(1);
    for (const wrong of [{ drafterWeight: 0 }, { scorerWeight: 3 }, { unnamed: 0 }, { rest: Number.NaN }, { cut: 1 }])
      expect(() => createPooledSearch({ scorer, ...wrong })).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(() => createPooledSearch({ scorer, lambda: 0.5 } as PooledOptions)).toThrow(/lambda/);
    const silent = { ...scorer, score: () => {} };
    expect(() => find({ scorer: silent }, latticeOf([[[1, -1]]]))).toThrow(
      expect.objectContaining({ code: "ERR_CONTRACT" }),
    );
    expect(() => find({ scorer }, latticeOf([[[1, -1]]]), 1.5)).toThrow(
      expect.objectContaining({ code: "ERR_CONTRACT" }),
    );
    expect(POOLED_DEFAULTS.cut).toBe(0);
  });
});
