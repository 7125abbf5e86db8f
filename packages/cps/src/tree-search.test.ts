import { depths, type SearchResult, trunkLength, validateTree } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allPaths, hashScorer, later, latticeOf, lattices } from "./fixtures.ts";
import { createBeamSearch, createTreeSearch, type TreeOptions } from "./index.ts";

const context = Int32Array.of(11, 12);
const options = fc.record({
  lattice: lattices(5, 4),
  seed: fc.integer(),
  levels: fc.constantFrom(3, 1e6),
  lambda: fc.constantFrom(0, 0.5, 1),
  eosIds: fc.constantFrom<number[]>([], [0]),
  nodes: fc.integer({ min: 0, max: 20 }),
});
const run = <State>(setup: TreeOptions<State>, request: Parameters<ReturnType<typeof createTreeSearch>["search"]>[0]) =>
  createTreeSearch(setup).search(request) as SearchResult;

/** Paths of all nodes but the root, as strings. */
function paths({ tree }: SearchResult): string[] {
  const all = [""];
  for (let i = 1; i < tree.tokens.length; i++) all.push(`${all[tree.parents[i]]} ${tree.tokens[i]}`);
  return all.slice(1);
}

describe("the tree", () => {
  it("is valid, within the nodes, without double children, and nothing follows an EOS", () => {
    fc.assert(
      fc.property(
        options,
        fc.constantFrom("beam" as const, "best-first" as const),
        fc.constantFrom(1, 0.7),
        ({ lattice, seed, levels, lambda, eosIds, nodes }, trunk, decay) => {
          const scorer = hashScorer(seed, levels);
          const result = run({ scorer, lambda, eosIds, trunk, decay }, { lattice, context, nodes });
          validateTree(result.tree, { root: 12, vocabularySize: 13, maxNodes: nodes + 1 });
          const all = paths(result);
          expect(new Set(all).size).toBe(all.length);
          const depth = depths(result.tree);
          for (let i = 1; i < depth.length; i++) {
            const at = depth[i] - 1;
            const position = lattice.tokens.subarray(lattice.offsets[at], lattice.offsets[at + 1]);
            expect(position).toContain(result.tree.tokens[i]);
            const parent = result.tree.parents[i];
            if (parent > 0) expect(eosIds).not.toContain(result.tree.tokens[parent]);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("best-first holds the nodes of the highest scores, by brute force over all prefixes", () => {
    fc.assert(
      fc.property(options, ({ lattice, seed, lambda, eosIds, nodes }) => {
        const scorer = hashScorer(seed);
        const result = run({ scorer, lambda, eosIds, trunk: "best-first" }, { lattice, context, nodes });
        const scored: { path: string; score: number }[] = [];
        const visit = (ids: number[], score: number) => {
          if (ids.length > 0) scored.push({ path: ids.map((id) => ` ${id}`).join(""), score });
          if (ids.length === lattice.depth || eosIds.includes(ids[ids.length - 1])) return;
          const state = scorer.begin(Int32Array.of(...context, ...ids)) as number;
          for (let c = lattice.offsets[ids.length]; c < lattice.offsets[ids.length + 1]; c++) {
            const out = new Float64Array(1);
            scorer.score([state], lattice.tokens.subarray(c, c + 1), out);
            visit([...ids, lattice.tokens[c]], score + (1 - lambda) * out[0] + lambda * lattice.logProbs[c]);
          }
        };
        visit([], 0);
        // Only positions within `nodes` are used; a deeper node could not be among the best `nodes` anyway.
        scored.sort((a, b) => b.score - a.score);
        const score = new Map(scored.map((one) => [one.path, one.score]));
        const mine = paths(result).map((one) => score.get(one) ?? Number.NaN);
        expect(mine.length).toBe(Math.min(nodes, scored.length));
        mine.sort((a, b) => b - a);
        for (const [i, value] of mine.entries()) expect(value).toBeCloseTo(scored[i].score, 9);
        const trunk = paths(result)[trunkLength(result.tree) - 2];
        expect(result.score).toBeCloseTo(trunk === undefined ? 0 : (score.get(trunk) ?? Number.NaN), 9);
      }),
      { numRuns: 1000 },
    );
  });

  it("with the beam's trunk begins with what the beam search finds", () => {
    fc.assert(
      fc.property(options, ({ lattice, seed, levels, lambda, eosIds, nodes }) => {
        const scorer = hashScorer(seed, levels);
        const request = { lattice, context, nodes };
        const beam = createBeamSearch({ scorer, lambda, eosIds }).search(request) as SearchResult;
        const result = run({ scorer, lambda, eosIds }, request);
        expect(result.tree.tokens.subarray(0, beam.tree.tokens.length)).toEqual(beam.tree.tokens);
        expect(trunkLength(result.tree)).toBeGreaterThanOrEqual(beam.tree.tokens.length);
        expect(result.score).toBe(beam.score);
      }),
      { numRuns: 1000 },
    );
  });

  it("is closed under prefixes: every node's path but its last id is a node, and parents stand before children", () => {
    fc.assert(
      fc.property(options, fc.constantFrom(1, 0.6), ({ lattice, seed, eosIds, nodes }, decay) => {
        for (const trunk of ["beam", "best-first"] as const) {
          const all = paths(run({ scorer: hashScorer(seed), eosIds, trunk, decay }, { lattice, context, nodes }));
          for (const [i, path] of all.entries()) {
            const prefix = path.slice(0, path.lastIndexOf(" "));
            if (prefix !== "") expect(all.slice(0, i)).toContain(prefix);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("with room for everything holds the best path of all as its trunk", () => {
    fc.assert(
      fc.property(lattices(4, 3), fc.integer(), (lattice, seed) => {
        const scorer = hashScorer(seed);
        const all = allPaths(lattice, scorer, context, { lambda: 0.5, eosIds: [] });
        const best = all.reduce((a, b) => (b.score > a.score ? b : a));
        const result = run({ scorer, beam: Number.POSITIVE_INFINITY }, { lattice, context, nodes: 1000 });
        const trunk = [...result.tree.tokens.subarray(1, trunkLength(result.tree))];
        expect(result.score).toBeCloseTo(best.score, 9);
        expect(all.find((one) => one.tokens.join() === trunk.join())?.score).toBeCloseTo(best.score, 9);
      }),
      { numRuns: 300 },
    );
  });

  it("gets deeper where depth counts less", () => {
    const row = [
      [1, -0.9],
      [2, -1],
      [3, -1.1],
    ] as const;
    const lattice = latticeOf(Array.from({ length: 8 }, () => [...row]));
    const depthOf = (decay: number) =>
      Math.max(
        ...depths(
          run({ scorer: hashScorer(1), lambda: 1, trunk: "best-first", decay }, { lattice, context, nodes: 12 }).tree,
        ),
      );
    expect(depthOf(0.3)).toBeGreaterThan(depthOf(1));
  });

  it("obeys maxNodes, and an asynchronous scorer gives the same tree", async () => {
    const lattice = latticeOf([
      [
        [1, -0.5],
        [2, -1],
      ],
      [
        [3, -0.5],
        [4, -1],
      ],
    ]);
    const request = { lattice, context, nodes: 9 };
    expect(run({ scorer: hashScorer(1), maxNodes: 3 }, request).tree.tokens.length).toBe(4);
    expect(run({ scorer: hashScorer(1) }, request).tree.tokens.length).toBe(7);
    const asynchronous = createTreeSearch({ scorer: later(hashScorer(1)) }).search(request);
    expect(asynchronous).toBeInstanceOf(Promise);
    expect(await asynchronous).toEqual(run({ scorer: hashScorer(1) }, request));
  });

  it.each([
    { maxNodes: 0 },
    { maxNodes: 1024 },
    { decay: 0 },
    { decay: 1.1 },
    { trunk: "root" },
    { beam: 0 },
    { batch: 0 },
    { batch: 1.5 },
    { batch: 1024 },
    { nodes: 3 },
  ])("refuses %o", (bad) => {
    expect(() => createTreeSearch({ scorer: hashScorer(1), ...bad } as TreeOptions)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
  });
});
