import { type CausalScorer, chain, type PathSearch, type SearchRequest, type SearchResult } from "@diffuspec/contracts";
import { drive } from "./drive.ts";
import { causalTerm } from "./mixed-scores.ts";
import { bad, checkNames, checkScoreOptions, type ScoreOptions } from "./options.ts";
import { readRequest } from "./request.ts";

export interface PooledOptions<State = unknown> extends Omit<ScoreOptions<State>, "lambda"> {
  /** Exponent a of the drafter's q, in (0, 2]. */
  readonly drafterWeight?: number;
  /** Exponent b of the scorer's p, in (0, 2]. */
  readonly scorerWeight?: number;
  /** ln q of a candidate that the scorer alone names, below 0. */
  readonly unnamed?: number;
  /** ln of what all ids that are no candidates weigh together. */
  readonly rest?: number;
}

/** Fitted to what SmolLM2-135M and tiny-js wrote, where one set serves both (docs/log.md, 22 November 2026). */
export const POOLED_DEFAULTS = {
  drafterWeight: 0.7,
  scorerWeight: 0.7,
  unnamed: -4.5,
  rest: -4,
  eosIds: [],
  cut: 0,
} as const satisfies Omit<PooledOptions, "scorer">;

/**
 * Drafter and scorer as a logarithmic opinion pool (Genest and Zidek 1986): one path, at each place the candidate of the highest
 *
 *     P(t) = q(t)^a p(t | before)^b / (e^rest + sum over the candidates)
 *
 * Candidates are the lattice's and those that the scorer names (`likely`), so that what only one of the two thinks of can be
 * proposed. Behind the lattice the scorer goes on alone, as far as the request's `length` lets it. P is normalised, where Eq. 8 is
 * not: `cut` bounds the chance of the whole draft, and `score` is its logarithm. Ties go to the candidate that comes first.
 *
 * With a scorer that answers at once `search` returns a plain value.
 *
 * @throws ERR_OPTION; `search` throws or rejects with ERR_CONTRACT as the beam search does
 */
export function createPooledSearch<State>(options: PooledOptions<State>): PathSearch {
  const all = { ...POOLED_DEFAULTS, ...options };
  const { scorer, drafterWeight, scorerWeight, unnamed, rest, eosIds, cut } = all;
  checkNames(options, ["scorer", ...Object.keys(POOLED_DEFAULTS)]);
  checkScoreOptions({ scorer, lambda: 0, eosIds, cut });
  for (const [name, weight] of Object.entries({ drafterWeight, scorerWeight }))
    if (!(weight > 0 && weight <= 2)) throw bad(name, weight, "it is a number, 0 < weight <= 2");
  if (!(unnamed < 0 && unnamed >= -100)) throw bad("unnamed", unnamed, "it is a number, -100 <= unnamed < 0");
  if (!(Math.abs(rest) <= 100)) throw bad("rest", rest, "it is a number, -100 <= rest <= 100");
  const floor = Math.log(cut);
  const others = Math.exp(rest);

  function* steps(request: SearchRequest): Generator<unknown, SearchResult, unknown> {
    const { lattice, root, length } = readRequest(request);
    const path: number[] = [];
    let score = 0;
    let ended = false;
    let state = (length > 0 ? yield scorer.begin(request.context) : undefined) as State;
    while (path.length < length && !ended) {
      const first = lattice.offsets[Math.min(path.length, lattice.depth)];
      const own = path.length < lattice.depth ? lattice.offsets[path.length + 1] - first : 0;
      const ids = union(lattice.tokens.subarray(first, first + own), scorer.likely?.(state) ?? []);
      if (ids.length === 0) break;
      const values = new Float64Array(ids.length).fill(Number.NaN);
      yield scorer.score([state], ids, values);
      let best = 0;
      let sum = others;
      for (let c = 0; c < ids.length; c++) {
        values[c] = causalTerm(scorer as CausalScorer, values[c], 0);
        if (own > 0) {
          values[c] = drafterWeight * (c < own ? lattice.logProbs[first + c] : unnamed) + scorerWeight * values[c];
          sum += Math.exp(values[c]);
        }
        if (values[c] > values[best]) best = c;
      }
      const term = own > 0 ? values[best] - Math.log(sum) : values[best];
      if (path.length > 0 && !(score + term >= floor)) break;
      score += term;
      path.push(ids[best]);
      ended = eosIds.includes(ids[best]);
      state = scorer.advance(state, ids[best]);
    }
    // a cut is no end of text
    return { tree: chain(root, path), score, generatedLength: ended ? path.length - 1 : length };
  }

  return { name: "pooled", search: (request) => drive(steps(request)) };
}

/** The candidates of both, the drafter's first. */
function union(own: Int32Array, named: readonly number[]): Int32Array {
  const ids = new Int32Array(own.length + named.length);
  ids.set(own);
  let count = own.length;
  for (const id of named) if (!own.includes(id)) ids[count++] = id;
  return ids.subarray(0, count);
}
