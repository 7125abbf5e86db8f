import {
  type CausalScorer,
  type SearchRequest,
  type SearchResult,
  type TokenTree,
  trunkFirst,
} from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashScorer, later, latticeOf, lattices } from "./fixtures.ts";
import { createBeamSearch, createTreeSearch, type TreeOptions } from "./index.ts";

const context = Int32Array.of(11, 12);

interface Entry {
  token: number;
  parent: number;
  candidate: number;
  ids: number[];
  score: number;
  rank: number;
}

/**
 * The tree by the plainest means: every node that joins is asked about at once and alone, and the best of all that is open is
 * found by sorting.
 */
function plainTree(setup: Required<TreeOptions<number>>, { lattice, nodes }: SearchRequest): TokenTree {
  const { scorer, lambda, eosIds, cut, decay, maxNodes, trunk } = setup;
  const most = Math.min(nodes, maxNodes);
  const { batch: _b, decay: _d, trunk: _t, maxNodes: _m, ...beam } = setup;
  const found = trunk === "beam" && (createBeamSearch(beam).search({ lattice, context, nodes: most }) as SearchResult);
  const path = found ? [...found.tree.tokens.subarray(1)] : [];
  const tree: Entry[] = [{ token: 12, parent: -1, candidate: 0, ids: [], score: 0, rank: 0 }];
  const open: Entry[] = [];
  const onPath = (one: Entry) => one.ids.length <= path.length && one.ids.every((id, i) => id === path[i]);
  for (let at = 0; ; at++) {
    const { ids, score, rank, token } = tree[at];
    const level = ids.length;
    if (level < Math.min(lattice.depth, nodes) && !(at > 0 && eosIds.includes(token))) {
      const candidates = lattice.tokens.subarray(lattice.offsets[level], lattice.offsets[level + 1]);
      const out = new Float64Array(candidates.length);
      if (lambda < 1) scorer.score([scorer.begin(Int32Array.of(...context, ...ids)) as number], candidates, out);
      for (const [c, token] of candidates.entries()) {
        const causal = lambda < 1 ? (1 - lambda) * out[c] : 0;
        const term = lambda > 0 ? causal + lambda * lattice.logProbs[lattice.offsets[level] + c] : causal;
        const entry = {
          token,
          parent: at,
          candidate: c,
          ids: [...ids, token],
          score: score + term,
          rank: rank + decay ** level * term,
        };
        if (level === 0 || entry.score >= Math.log(cut)) open.push(entry);
      }
    }
    if (open.length === 0 || tree.length > most) break;
    open.sort(
      (a, b) =>
        Number(onPath(b)) - Number(onPath(a)) || b.rank - a.rank || a.parent - b.parent || a.candidate - b.candidate,
    );
    tree.push(open.shift() as Entry);
  }
  const flat = {
    tokens: Int32Array.from(tree, (one) => one.token),
    parents: Int32Array.from(tree, (one) => one.parent),
  };
  return found ? flat : trunkFirst(flat);
}

/** Counts calls and the states of each. */
function counting(scorer: CausalScorer<number>) {
  const sizes: number[] = [];
  return {
    sizes,
    scorer: {
      ...scorer,
      score(states, candidates, out) {
        sizes.push(states.length);
        return scorer.score(states, candidates, out);
      },
    } satisfies CausalScorer<number>,
  };
}
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const setups = fc.record({
  lambda: fc.constantFrom(0, 0.5, 1),
  beam: fc.constantFrom(1, 3),
  scoring: fc.constantFrom("paper" as const, "per-token" as const),
  eosIds: fc.constantFrom<number[]>([], [0]),
  cut: fc.constantFrom(0, 0.3),
  decay: fc.constantFrom(1, 0.6),
  trunk: fc.constantFrom("beam" as const, "best-first" as const),
  maxNodes: fc.constantFrom(12, 1023),
  batch: fc.constantFrom(1, 2, 16),
});
const requests = fc.record({
  lattice: lattices(5, 4),
  context: fc.constant(context),
  nodes: fc.integer({ min: 0, max: 30 }),
});

describe("asking late and in batches", () => {
  it("changes nothing: the tree of the plain algorithm, synchronous or not, whatever the batch", async () => {
    await fc.assert(
      fc.asyncProperty(
        setups,
        requests,
        fc.integer(),
        fc.constantFrom(3, 1e6),
        async (setup, request, seed, levels) => {
          const scorer = hashScorer(seed, levels);
          const expected = plainTree({ scorer, ...setup }, request);
          const result = createTreeSearch({ scorer, ...setup }).search(request) as SearchResult;
          expect(result.tree).toEqual(expected);
          expect(await createTreeSearch({ scorer: later(scorer), ...setup }).search(request)).toEqual(result);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("asks a synchronous scorer about no node twice, and never about one that is not in the tree", () => {
    fc.assert(
      fc.property(
        requests,
        fc.integer(),
        fc.constantFrom("beam" as const, "best-first" as const),
        (request, seed, trunk) => {
          const beam = counting(hashScorer(seed));
          createBeamSearch({ scorer: beam.scorer }).search({ ...request });
          const tree = counting(hashScorer(seed));
          const result = createTreeSearch({ scorer: tree.scorer, trunk }).search(request) as SearchResult;
          const nodes = result.tree.tokens.length;
          const trunkNodes = trunk === "beam" ? Math.min(request.lattice.depth, request.nodes) : 0;
          // Every node that may have children once, less those that the beam asked about on its way.
          expect(sum(tree.sizes)).toBeLessThanOrEqual((trunk === "beam" ? sum(beam.sizes) : 0) + nodes - trunkNodes);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("asks an asynchronous one in fewer calls, none of them larger than the batch", async () => {
    const row = [
      [1, -0.9],
      [2, -1],
      [3, -1.1],
    ] as const;
    const lattice = latticeOf(Array.from({ length: 6 }, () => [...row]));
    const request = { lattice, context, nodes: 60 };
    const one = counting(hashScorer(4));
    createTreeSearch({ scorer: one.scorer, trunk: "best-first" }).search(request);
    for (const batch of [1, 4, 16]) {
      const many = counting(hashScorer(4));
      const scorer = later(many.scorer);
      await createTreeSearch({ scorer, trunk: "best-first", batch }).search(request);
      expect(Math.max(...many.sizes)).toBeLessThanOrEqual(batch);
      if (batch === 1) expect(many.sizes).toEqual(one.sizes);
      else expect(many.sizes.length).toBeLessThan(one.sizes.length / (batch === 4 ? 2 : 4));
    }
  });

  it("makes no promise where the scorer makes none", () => {
    const real = globalThis.Promise;
    let made = 0;
    globalThis.Promise = class<T> extends real<T> {
      constructor(run: ConstructorParameters<typeof real<T>>[0]) {
        made++;
        super(run);
      }
    } as PromiseConstructor;
    try {
      const lattice = latticeOf(Array.from({ length: 5 }, () => [[1, -0.5], [2, -1]])); // biome-ignore format: one line
      const result = createTreeSearch({ scorer: hashScorer(1) }).search({ lattice, context, nodes: 40 });
      expect(result).not.toBeInstanceOf(real);
    } finally {
      globalThis.Promise = real;
    }
    expect(made).toBe(0);
  });

  it("bears a decay that underflows, and a scorer that knows nothing", () => {
    const lattice = latticeOf(Array.from({ length: 400 }, () => [[1, -0.1], [2, -0.2]])); // biome-ignore format: one line
    const scorer: CausalScorer<null> = {
      name: "nothing",
      begin: () => null,
      advance: () => null,
      score: (states, candidates, out) => void out.fill(Number.NEGATIVE_INFINITY, 0, states.length * candidates.length),
    };
    const search = createTreeSearch({ scorer, decay: 0.1 });
    const { tree } = search.search({ lattice, context, nodes: 500 }) as SearchResult;
    expect(tree.tokens.length).toBe(501);
  });

  it("refuses a log-probability above 0, on which the order relies", () => {
    const scorer = { ...hashScorer(1), score: (_: unknown, __: unknown, out: Float64Array) => void out.fill(1) };
    const lattice = latticeOf([[[1, -1]]]);
    expect(() => createTreeSearch({ scorer }).search({ lattice, context, nodes: 4 })).toThrow(
      expect.objectContaining({ code: "ERR_CONTRACT" }),
    );
  });
});
