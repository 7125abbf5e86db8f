import type { CausalScorer, Lattice } from "@diffuspec/contracts";
import * as fc from "fast-check";

/** A lattice from [token, ln q] pairs per position. */
export function latticeOf(positions: (readonly [number, number])[][]): Lattice {
  const offsets = new Int32Array(positions.length + 1);
  positions.forEach((position, i) => {
    offsets[i + 1] = offsets[i] + position.length;
  });
  return {
    depth: positions.length,
    offsets,
    tokens: Int32Array.from(positions.flat(), ([token]) => token),
    logProbs: Float32Array.from(positions.flat(), ([, logProb]) => logProb),
    generatedLength: positions.length,
  };
}

/** ln p that looks random and depends on every id before; few distinct values where `levels` is small, so that ties occur. */
export function hashScorer(seed: number, levels = 1e6): CausalScorer<number> & { calls: number } {
  const mix = (state: number, token: number) =>
    Math.imul((state ^ (token + 0x9e37)) >>> 0, 0x85ebca6b) ^ (state >>> 13);
  return {
    name: "hash",
    calls: 0,
    begin: (context) => context.reduce(mix, seed),
    advance: mix,
    score(states, candidates, out) {
      this.calls++;
      states.forEach((state, s) => {
        candidates.forEach((token, c) => {
          const noise = (Math.imul(mix(state, token), 0xc2b2ae35) >>> 8) / 2 ** 24;
          out[s * candidates.length + c] = -4 * (Math.floor(noise * levels) / levels);
        });
      });
    },
  };
}

/** The same scorer behind promises. */
export function later<State>(scorer: CausalScorer<State>): CausalScorer<State> {
  return {
    name: `${scorer.name}, later`,
    begin: async (context) => scorer.begin(context),
    advance: (state, token) => scorer.advance(state, token),
    score: async (states, candidates, out) => {
      await null;
      await scorer.score(states, candidates, out);
    },
  };
}

export interface ScoredPath {
  readonly tokens: number[];
  readonly score: number;
}

/** Every path that ends with the lattice or with an EOS, and its Eq. 8 score; written without the search's code. */
export function allPaths<State>(
  lattice: Lattice,
  scorer: CausalScorer<State>,
  context: Int32Array,
  { lambda, eosIds, depth = lattice.depth }: { lambda: number; eosIds: readonly number[]; depth?: number },
): ScoredPath[] {
  const found: ScoredPath[] = [];
  const visit = (tokens: number[], score: number) => {
    if (tokens.length === depth || eosIds.includes(tokens[tokens.length - 1])) {
      found.push({ tokens, score });
      return;
    }
    const state = scorer.begin(Int32Array.of(...context, ...tokens)) as State;
    for (let c = lattice.offsets[tokens.length]; c < lattice.offsets[tokens.length + 1]; c++) {
      const out = new Float64Array(1);
      scorer.score([state], Int32Array.of(lattice.tokens[c]), out);
      const causal = lambda === 1 ? 0 : (1 - lambda) * out[0];
      const own = lambda === 0 ? 0 : lambda * lattice.logProbs[c];
      visit([...tokens, lattice.tokens[c]], score + causal + own);
    }
  };
  visit([], 0);
  return found;
}

/** Lattices of distinct tokens per position, ordered best first; token 0 serves as the EOS. */
export const lattices = (maxDepth: number, maxWidth: number): fc.Arbitrary<Lattice> =>
  fc
    .array(
      fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -40, max: 0 })), {
        minLength: 1,
        maxLength: maxWidth,
        selector: ([token]) => token,
      }),
      { minLength: 1, maxLength: maxDepth },
    )
    .map((positions) =>
      latticeOf(
        positions.map((position) =>
          position
            .sort((a, b) => b[1] - a[1] || a[0] - b[0])
            .map(([token, tenths]) => [token, Math.fround(tenths / 10)] as const),
        ),
      ),
    );
