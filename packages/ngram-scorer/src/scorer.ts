import type { CausalScorer } from "@diffuspec/contracts";
import { optionError } from "./estimate.ts";
import { findChild, findNgram, type NgramModel, requireId } from "./model.ts";

/** The last ids, at most order - 1 of them, oldest first. */
export type NgramState = readonly number[];

/**
 * Scores candidates with an n-gram model. A state's contexts are looked up once for all candidates; nothing is allocated
 * for them.
 *
 * @throws ERR_OPTION (in score) for a candidate outside the vocabulary
 */
export function createNgramScorer(model: NgramModel, name = `${model.order}-gram`): CausalScorer<NgramState> {
  const span = model.order - 1;
  const nodes = new Int32Array(model.order); // nodes[m]: the context of m ids, or -1
  return {
    name,
    begin: (context) => (span === 0 ? [] : Array.from(context.subarray(Math.max(0, context.length - span)))),
    advance: (state, token) => (span === 0 ? [] : [...state.slice(state.length < span ? 0 : 1), token]),
    score(states, candidates, out) {
      for (const token of candidates) requireId(model, token);
      for (const [row, state] of states.entries()) {
        for (let m = 1; m <= state.length; m++) nodes[m] = findNgram(model, state, state.length - m, state.length);
        for (let c = 0; c < candidates.length; c++)
          out[row * candidates.length + c] = scoreOne(model, nodes, state.length, candidates[c]!);
      }
    },
  };
}

function scoreOne(model: NgramModel, nodes: Int32Array, longest: number, token: number): number {
  let penalty = 0;
  for (let m = longest; m > 0; m--) {
    const node = nodes[m]!;
    if (node === -1) continue; // a context that is not stored backs off for free
    const child = findChild(model, m, node, token);
    if (child !== -1) return penalty + model.levels[m]!.logProb[child]!;
    penalty += model.levels[m - 1]!.backoff[node]!;
  }
  return penalty + model.levels[0]!.logProb[token]!;
}

/** Every id equally likely: a search with it follows the drafter alone. */
export function createUniformScorer(vocabularySize: number): CausalScorer<null> {
  if (!Number.isInteger(vocabularySize) || vocabularySize < 1)
    throw optionError(`vocabularySize is ${vocabularySize}`, "it is a positive integer");
  const logProb = -Math.log(vocabularySize);
  return { name: "uniform", begin: () => null, advance: () => null, score: (_, __, out) => void out.fill(logProb) };
}
