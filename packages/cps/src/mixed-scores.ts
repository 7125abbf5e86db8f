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
  /** Room for so many values; what was there is lost. */
  reserve(cells: number): void;
  /**
   * values[cell] = own + (1 - lambda) * ln p(token | state), own being lambda * ln q. Where the scorer answers with a promise
   * that is returned, and nothing is written.
   */
  one<State>(
    scorer: CausalScorer<State>,
    state: State,
    token: number,
    own: number,
    lambda: number,
    cell: number,
  ): Promise<void> | undefined;
}

/** A log-probability of a model in half precision may stand above 0 by this much. */
const ROUNDING = 0.05;

/** Owns the one buffer of a search; it grows to the largest position seen. */
export function createMixedScores(): MixedScores {
  let values = new Float64Array(64);
  let asynchronous = false;
  const asked: unknown[] = [undefined];
  const id = new Int32Array(1);
  const answer = new Float64Array(1);

  /** No term is above 0: bounds rely on it. */
  function causal(scorer: CausalScorer, logP: number, lambda: number): number {
    if (logP <= ROUNDING) return (1 - lambda) * Math.min(0, logP);
    throw violated(`the scorer "${scorer.name}" gave ${logP} where a log-probability should be`);
  }

  function reserve(cells: number): void {
    if (values.length < cells) values = new Float64Array(2 * cells);
  }

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
      reserve(cells);
      if (lambda < 1) {
        // What a scorer forgets to write must not be left over from another position.
        values.fill(Number.NaN, 0, cells);
        const answer = scorer.score(states, lattice.tokens.subarray(first, first + count), values);
        asynchronous = isThenable(answer);
        if (asynchronous) yield answer;
      } else values.fill(0, 0, cells);
      for (let cell = 0; cell < cells; cell++) {
        // A weight of 0 drops its term: 0 * -Infinity would be NaN.
        const term = lambda < 1 ? causal(scorer as CausalScorer, values[cell], lambda) : 0;
        values[cell] = lambda > 0 ? term + lambda * lattice.logProbs[first + (cell % count)] : term;
      }
    },
    reserve,
    one(scorer, state, token, own, lambda, cell) {
      asked[0] = state;
      id[0] = token;
      answer[0] = Number.NaN;
      const late = scorer.score(asked as (typeof state)[], id, answer);
      asynchronous = isThenable(late);
      if (asynchronous) return late as Promise<void>;
      values[cell] = causal(scorer as CausalScorer, answer[0], lambda) + own;
      return undefined;
    },
  };
}
