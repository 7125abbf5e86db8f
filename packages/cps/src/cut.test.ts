import type { SearchResult } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allPaths, hashScorer, latticeOf, lattices } from "./fixtures.ts";
import { createBeamSearch, createTreeSearch } from "./index.ts";

const context = Int32Array.of(11, 12);
const path = (result: SearchResult | Promise<SearchResult>) => [...(result as SearchResult).tree.tokens.subarray(1)];

describe("cut", () => {
  it("by hand: ends where the chance falls below it, keeps the first token, and takes the best path of that length", () => {
    const scorer = hashScorer(1);
    const search = (cut: number, positions: [number, number][][]) =>
      path(createBeamSearch({ scorer, lambda: 1, cut }).search({ lattice: latticeOf(positions), context, nodes: 9 }));
    const chances: [number, number][][] = [[[1, Math.log(0.8)]], [[2, Math.log(0.5)]], [[3, Math.log(0.5)]]];
    expect(search(0.1, chances)).toEqual([1, 2, 3]);
    expect(search(0.3, chances)).toEqual([1, 2]);
    expect(search(0.5, chances)).toEqual([1]);
    expect(search(0.9, chances)).toEqual([1]);
  });

  it("an unbounded beam gives the longest length that any path reaches, by brute force", () => {
    fc.assert(
      fc.property(
        lattices(5, 4),
        fc.integer(),
        fc.constantFrom(0.25, 0.5, 1),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (lattice, seed, lambda, cut) => {
          const scorer = hashScorer(seed);
          const search = createBeamSearch({ scorer, lambda, cut, beam: Number.POSITIVE_INFINITY });
          const result = search.search({ lattice, context, nodes: 9 }) as SearchResult;
          const best = (depth: number) =>
            allPaths(lattice, scorer, context, { lambda, eosIds: [], depth }).reduce((a, b) =>
              b.score > a.score ? b : a,
            );
          const reached = Array.from({ length: lattice.depth }, (_, i) => best(i + 1)).findLast(
            ({ score, tokens }) => tokens.length === 1 || Math.exp(score) >= cut,
          );
          expect(result.score).toBeCloseTo(reached!.score, 9);
          expect(path(result)).toHaveLength(reached!.tokens.length);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("an EOS ends a path only where its chance suffices, or where it comes first", () => {
    const scorer = hashScorer(1);
    const search = (cut: number, positions: [number, number][][]) =>
      path(
        createBeamSearch({ scorer, lambda: 1, cut, eosIds: [0] }).search({
          lattice: latticeOf(positions),
          context,
          nodes: 9,
        }),
      );
    expect(search(0.5, [[[1, -0.1]], [[0, -0.2]]])).toEqual([1, 0]);
    expect(search(0.9, [[[1, -0.1]], [[0, -0.2]]])).toEqual([1]);
    expect(search(0.9, [[[0, -0.2]]])).toEqual([0]);
  });

  it("in a tree holds for every node behind the first token", () => {
    fc.assert(
      fc.property(lattices(5, 4), fc.integer(), fc.constantFrom(0.1, 0.4, 0.8), (lattice, seed, cut) => {
        const scorer = hashScorer(seed);
        const { tree } = createTreeSearch({ scorer, cut }).search({ lattice, context, nodes: 40 }) as SearchResult;
        const chance = (node: number): number => {
          const ids: number[] = [];
          for (let at = node; at > 0; at = tree.parents[at]) ids.unshift(tree.tokens[at]);
          const all = allPaths(lattice, scorer, context, { lambda: 0.5, eosIds: [], depth: ids.length });
          return Math.exp(all.find((one) => one.tokens.join() === ids.join())!.score);
        };
        for (let node = 1; node < tree.tokens.length; node++)
          if (tree.parents[node] > 0) expect(chance(node)).toBeGreaterThanOrEqual(cut - 1e-9);
      }),
      { numRuns: 300 },
    );
  });

  it.each([-0.1, 1, Number.NaN])("%d is refused", (cut) => {
    const refused = expect.objectContaining({ code: "ERR_OPTION" });
    expect(() => createBeamSearch({ scorer: hashScorer(1), cut })).toThrow(refused);
    expect(() => createTreeSearch({ scorer: hashScorer(1), cut })).toThrow(refused);
  });
});
