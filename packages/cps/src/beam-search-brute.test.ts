import { type SearchResult, validateTree } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allPaths, hashScorer, lattices } from "./fixtures.ts";
import { createArgmaxSearch, createBeamSearch } from "./index.ts";

const context = Int32Array.of(11, 12);
const path = (result: SearchResult) => [...result.tree.tokens.subarray(1)];
const plain = (result: SearchResult | Promise<SearchResult>): SearchResult => {
  expect(result).not.toBeInstanceOf(Promise);
  return result as SearchResult;
};

describe("against brute force", () => {
  const options = fc.record({
    lattice: lattices(5, 4),
    seed: fc.integer(),
    levels: fc.constantFrom(3, 1e6),
    lambda: fc.constantFrom(0, 0.25, 0.5, 1),
    scoring: fc.constantFrom("paper" as const, "per-token" as const),
    eosIds: fc.constantFrom([], [0], [0, 1]),
    nodes: fc.integer({ min: 1, max: 6 }),
  });
  it("an unbounded beam finds the best path of all", () => {
    fc.assert(
      fc.property(options, ({ lattice, seed, levels, lambda, scoring, eosIds, nodes }) => {
        const scorer = hashScorer(seed, levels);
        const search = createBeamSearch({ scorer, lambda, scoring, eosIds, beam: Number.POSITIVE_INFINITY });
        const result = plain(search.search({ lattice, context, nodes }));
        validateTree(result.tree, { root: 12, vocabularySize: 10 + 3, maxNodes: nodes + 1 });
        const depth = Math.min(nodes, lattice.depth);
        const all = allPaths(lattice, scorer, context, { lambda, eosIds, depth });
        const worth = (score: number, length: number) => (scoring === "paper" ? score : score / length);
        const best = Math.max(...all.map((one) => worth(one.score, one.tokens.length)));
        const mine = all.find((one) => one.tokens.join() === path(result).join());
        expect(mine?.score).toBeCloseTo(result.score, 9);
        expect(worth(result.score, path(result).length)).toBeCloseTo(best, 9);
      }),
      { numRuns: 3000 },
    );
  });
  it("a bounded beam gives a path of the lattice, its true score, and never a better one", () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 4 }), ({ lattice, seed, levels, lambda, eosIds }, beam) => {
        const scorer = hashScorer(seed, levels);
        const result = plain(
          createBeamSearch({ scorer, lambda, eosIds, beam, scoring: "paper" }).search({ lattice, context, nodes: 9 }),
        );
        const all = allPaths(lattice, scorer, context, { lambda, eosIds });
        expect(all.find((one) => one.tokens.join() === path(result).join())?.score).toBeCloseTo(result.score, 9);
        expect(result.score).toBeLessThanOrEqual(Math.max(...all.map((one) => one.score)) + 1e-9);
      }),
      { numRuns: 1000 },
    );
  });
  it("a bounded beam keeps what sorting every extension keeps, and no more", () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 4 }), ({ lattice, seed, levels, lambda }, beam) => {
        const scorer = hashScorer(seed, levels);
        let most = 0;
        const counting: typeof scorer = {
          ...scorer,
          score(states, candidates, out) {
            most = Math.max(most, states.length);
            return scorer.score(states, candidates, out);
          },
        };
        const result = plain(
          createBeamSearch({ scorer: counting, lambda, beam }).search({ lattice, context, nodes: 9 }),
        );
        expect(most).toBeLessThanOrEqual(beam);
        let live: { tokens: number[]; score: number }[] = [{ tokens: [], score: 0 }];
        for (let position = 0; position < lattice.depth; position++) {
          const [first, end] = [lattice.offsets[position], lattice.offsets[position + 1]];
          const candidates = lattice.tokens.subarray(first, end);
          const extended = live.flatMap(({ tokens, score }, parent) => {
            const out = new Float64Array(candidates.length);
            scorer.score([scorer.begin(Int32Array.of(...context, ...tokens)) as number], candidates, out);
            return Array.from(candidates, (token, rank) => {
              const causal = lambda < 1 ? (1 - lambda) * out[rank] : 0;
              const term = lambda > 0 ? causal + lambda * lattice.logProbs[first + rank] : causal;
              return { tokens: [...tokens, token], score: term + score, rank, parent };
            });
          });
          extended.sort((a, b) => b.score - a.score || a.rank - b.rank || a.parent - b.parent);
          live = extended.slice(0, beam);
        }
        expect(path(result)).toEqual(live[0].tokens);
      }),
      { numRuns: 1000 },
    );
  });
  it("lambda 1 is the argmax path and asks no scorer; lambda 0 does not see the marginals", () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 4 }), ({ lattice, seed, nodes }, beam) => {
        const scorer = hashScorer(seed);
        const request = { lattice, context, nodes };
        const argmax = createArgmaxSearch().search(request);
        const one = plain(createBeamSearch({ scorer, lambda: 1, beam }).search(request));
        expect(path(one)).toEqual(path(argmax));
        expect(one.score).toBeCloseTo(argmax.score, 9);
        expect(scorer.calls).toBe(0);
        const flat = { ...lattice, logProbs: lattice.logProbs.map(() => -1) };
        const zero = createBeamSearch({ scorer, lambda: 0, beam });
        expect(path(plain(zero.search(request)))).toEqual(path(plain(zero.search({ ...request, lattice: flat }))));
      }),
      { numRuns: 500 },
    );
  });
});
