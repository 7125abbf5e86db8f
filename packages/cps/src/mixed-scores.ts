import type { CausalScorer, Lattice } from "@diffuspec/contracts";
import { isThenable } from "./drive.ts";
import { violated } from "./request.ts";

/** The terms of Eq. 8 for every (state, candidate) of one position. */
export interface MixedScores {
  /** [states, candidates] of the last call; longer, and replaced when it must grow. */
  readonly values: Float64Array;
  /** True once the scorer has answered with a promise. */
  readonly asynchronous: boolean;
  /** values[s, c] = lambda * ln q(c) + (1 - lambda) * ln p(c | s). Yields what the scorer returns: perhaps a promise. */
  fill<State>(
    scorer: CausalScorer<State>,
    states: readonly State[],
    lattice: Lattice,
    position: number,
    lambda: number,
  ): Generator<unknown, void, unknown>;
}

/** A log-probability of a model in half precision may stand above 0 by this much. */
const ROUNDING = 0.05;

/** Owns the one buffer of a search; it grows to the largest position seen. */
export function createMixedScores(): MixedScores {
  let values = new Float64Array(64);
  let asynchronous = false;

  return {
    get values() {
      return values;
    },
    get asynchronous() {
      return asynchronous;
    },
    *fill(scorer, states, lattice, position, lambda) {
      const first = lattice.offsets[position];
      const count = lattice.offsets[position + 1] - first;
      const cells = states.length * count;
      if (values.length < cells) values = new Float64Array(2 * cells);
      if (lambda < 1) {
        // What a scorer forgets to write must not be left over from another position.
        values.fill(Number.NaN, 0, cells);
        const answer = scorer.score(states, lattice.tokens.subarray(first, first + count), values);
        asynchronous = isThenable(answer);
        if (asynchronous) yield answer;
      } else values.fill(0, 0, cells);
      for (let cell = 0; cell < cells; cell++) {
        // A weight of 0 drops its term: 0 * -Infinity would be NaN.
        const term = lambda < 1 ? causalTerm(scorer as CausalScorer, values[cell], lambda) : 0;
        values[cell] = lambda > 0 ? term + lambda * lattice.logProbs[first + (cell % count)] : term;
      }
    },
  };
}

/** (1 - lambda) * ln p. No term is above 0: bounds rely on it. @throws ERR_CONTRACT where ln p is no log-probability */
export function causalTerm(scorer: CausalScorer, logP: number, lambda: number): number {
  if (logP <= ROUNDING) return (1 - lambda) * Math.min(0, logP);
  throw violated(`the scorer "${scorer.name}" gave ${logP} where a log-probability should be`);
}
