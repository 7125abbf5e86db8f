import { type CausalScorer, DiffuSpecError } from "@diffuspec/contracts";

/** What every scored search needs. */
export interface ScoreOptions<State = unknown> {
  /** The left-to-right model that judges what follows what. Not asked where lambda is 1. */
  readonly scorer: CausalScorer<State>;
  /** Weight of the drafter's ln q against the scorer's ln p, 0 <= lambda <= 1. Default 0.5. */
  readonly lambda?: number;
  /** Ids that end a text: a path ends with the first one. Default none. */
  readonly eosIds?: readonly number[];
  /**
   * 0 <= cut < 1: no path is longer than its e^S >= cut, S the sum of Eq. 8; the first token always stays. e^S estimates the
   * chance that the target agrees that far, so `cut` should be the cost of one more row over what a token costs. Default 0.
   */
  readonly cut?: number;
}

export const bad = (option: string, value: unknown, why: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `search option ${option} is ${String(value)}`,
    why,
    next: "BEAM_DEFAULTS, TREE_DEFAULTS and POOLED_DEFAULTS of @diffuspec/cps show valid values.",
    details: { option, value },
  });

/** @throws ERR_OPTION */
export function checkScoreOptions<State>({ scorer, lambda, eosIds, cut }: Required<ScoreOptions<State>>): void {
  if (typeof scorer?.begin !== "function" || typeof scorer.advance !== "function" || typeof scorer.score !== "function")
    throw bad("scorer", scorer, "it is an object with begin, advance and score (CausalScorer)");
  if (!(lambda >= 0 && lambda <= 1)) throw bad("lambda", lambda, "it is a number, 0 <= lambda <= 1");
  if (!(cut >= 0 && cut < 1)) throw bad("cut", cut, "it is a number, 0 <= cut < 1");
  if (!Array.isArray(eosIds) || !eosIds.every((id) => Number.isInteger(id) && id >= 0))
    throw bad("eosIds", eosIds, "it is an array of token ids");
}

/** @throws ERR_OPTION for an option that is not among the known ones: a misspelt one would silently do nothing. */
export function checkNames(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw bad(name, "given", `the options are ${known.join(", ")}`);
}
