import type { CausalScorer } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashScorer, later, latticeOf, lattices } from "./fixtures.ts";
import { createBeamSearch } from "./index.ts";

const context = Int32Array.of(11, 12);

/** Counts the terms that are asked for. */
function counted(scorer: CausalScorer<number>): CausalScorer<number> & { terms: number } {
  return {
    ...scorer,
    terms: 0,
    score(states, candidates, out) {
      this.terms += states.length * candidates.length;
      return scorer.score(states, candidates, out);
    },
  };
}

describe("a scorer that answers at once", () => {
  it("is asked about no more, and the result is that of asking about everything", async () => {
    let [asked, all] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.array(lattices(6, 5), { minLength: 1, maxLength: 3 }),
        fc.record({
          seed: fc.integer(),
          levels: fc.constantFrom(3, 1e6),
          lambda: fc.constantFrom(0, 0.25, 0.5, 0.9, 1),
          beam: fc.constantFrom(1, 2, 3, 16, 17, Number.POSITIVE_INFINITY),
          cut: fc.constantFrom(0, 0.01, 0.3, 0.9),
          scoring: fc.constantFrom("paper" as const, "per-token" as const),
          eosIds: fc.constantFrom([], [0], [0, 1, 2]),
        }),
        async (some, { seed, levels, ...options }) => {
          const sparing = counted(hashScorer(seed, levels));
          const generous = counted(hashScorer(seed, levels));
          const one = createBeamSearch({ scorer: sparing, ...options });
          const other = createBeamSearch({ scorer: later(generous), ...options });
          // a promise gets the whole position asked for: asked later, nothing is left out
          for (const lattice of some) {
            const request = { lattice, context, nodes: 9 };
            expect(one.search(request)).toEqual(await other.search(request));
          }
          expect(sparing.terms).toBeLessThanOrEqual(generous.terms);
          if (options.beam > 3) return;
          asked += sparing.terms;
          all += generous.terms;
        },
      ),
      { numRuns: 1500 },
    );
    expect(asked).toBeLessThan(0.8 * all);
  });

  it("is not asked about what the best of its position has left behind", () => {
    const scorer = counted({
      ...hashScorer(1),
      score: (_, candidates, out) => void out.fill(-0.1, 0, candidates.length),
    });
    const position = [[1, -0.1], [2, -1], [3, -2], [4, -3]] as const; // biome-ignore format: one line
    const search = createBeamSearch({ scorer, beam: 1 });
    const request = { lattice: latticeOf([[...position], [...position]]), context, nodes: 9 };
    search.search(request);
    expect(scorer.terms).toBe(2);
  });

  it("may answer later all the same", async () => {
    const good = hashScorer(5);
    let slow = false;
    const scorer: CausalScorer<number> = {
      ...good,
      score: (states, candidates, out) => (slow ? later(good) : good).score(states, candidates, out),
    };
    const search = createBeamSearch({ scorer, beam: 2 });
    const lattice = latticeOf([[[1, -0.1], [2, -0.2]], [[3, -0.1], [4, -0.9]]]); // biome-ignore format: one line
    const request = { lattice, context, nodes: 9 };
    const expected = search.search(request);
    slow = true;
    expect(await search.search(request)).toEqual(expected);
    slow = false;
    expect(await search.search(request)).toEqual(expected);
  });
});
