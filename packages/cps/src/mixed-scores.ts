import type { CausalScorer, Lattice } from "@diffuspec/contracts";
import { violated } from "./request.ts";

/** The terms of Eq. 8 for every (state, candidate) of one position. */
export interface MixedScores {
  /** [states, candidates] of the last call; longer, and replaced when it must grow. */
  readonly values: Float64Array;
  /** values[s, c] = lambda * ln q(c) + (1 - lambda) * ln p(c | s). Yields what the scorer returns: perhaps a promise. */
  fill<State>(
    scorer: CausalScorer<State>,
    states: readonly State[],
    lattice: Lattice,
    position: number,
    lambda: number,
  ): Generator<unknown, void, unknown>;
}

/** Owns the one buffer of a search; it grows to the largest position seen. */
export function createMixedScores(): MixedScores {
  let values = new Float64Array(64);
  return {
    get values() {
      return values;
    },
    *fill(scorer, states, lattice, position, lambda) {
      const first = lattice.offsets[position];
      const count = lattice.offsets[position + 1] - first;
      const cells = states.length * count;
      if (values.length < cells) values = new Float64Array(2 * cells);
      if (lambda < 1) {
        // What a scorer forgets to write must not be left over from another position.
        values.fill(Number.NaN, 0, cells);
        yield scorer.score(states, lattice.tokens.subarray(first, first + count), values);
      } else values.fill(0, 0, cells);
      for (let cell = 0; cell < cells; cell++) {
        const logP = values[cell];
        if (!(logP < Number.POSITIVE_INFINITY))
          throw violated(`the scorer "${scorer.name}" gave ${logP} where a log-probability should be`);
        // A weight of 0 drops its term: 0 * -Infinity would be NaN.
        const causal = lambda < 1 ? (1 - lambda) * logP : 0;
        values[cell] = lambda > 0 ? causal + lambda * lattice.logProbs[first + (cell % count)] : causal;
      }
    },
  };
}
