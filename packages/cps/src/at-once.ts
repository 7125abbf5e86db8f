import { type CausalScorer, chain, type SearchResult } from "@diffuspec/contracts";
import type { BeamOptions } from "./beam-search.ts";
import { isThenable } from "./drive.ts";
import { causalTerm } from "./mixed-scores.ts";
import type { Task } from "./request.ts";

/** Kept paths are sorted by insertion; a wider beam is better off with a heap. */
export const MOST_AT_ONCE = 16;

/**
 * The beam search for a scorer that answers at once, with the same results. It asks about one candidate at a time, and about none
 * that cannot be kept: no term is above 0, so lambda * ln q bounds a path's score. Plain loops over flat arrays, for a search
 * follows a model's pass, when its code and data are out of the cache and each line of either is waited for.
 *
 * The search gives the scorer's promise back, and nothing else is done, where it makes one after all.
 */
export function createSearchAtOnce<State>({
  scorer,
  lambda,
  beam,
  scoring,
  eosIds,
  cut,
}: Required<BeamOptions<State>>): (task: Task, context: Int32Array) => SearchResult | PromiseLike<unknown> {
  const floor = Math.log(cut);
  const endIds = [...eosIds];
  const worth = (score: number, length: number) => (scoring === "paper" ? score : score / length);
  // the nodes of all paths, and those of the live ones, best first, with the scorer's states behind them
  let tokens = new Int32Array(0);
  let parents = new Int32Array(0);
  let totals = new Float64Array(0);
  let made = 0;
  const live = new Int32Array(beam);
  let states: State[] = [];
  let nextStates: State[] = [];
  // of the position at hand, the paths kept so far, best first: the live path they go on from, the candidate's rank, the score
  const keptRows = new Int32Array(beam);
  const keptRanks = new Int32Array(beam);
  const keptTotals = new Float64Array(beam);
  const asked: State[] = [];
  const id = new Int32Array(1);
  const answer = new Float64Array(1);

  function addNode(parent: number, token: number, total: number): number {
    parents[made] = parent;
    tokens[made] = token;
    totals[made] = total;
    return made++;
  }

  function begin(nodes: number): void {
    made = 0;
    live[0] = -1;
    if (nodes <= tokens.length) return;
    tokens = new Int32Array(2 * nodes);
    parents = new Int32Array(2 * nodes);
    totals = new Float64Array(2 * nodes);
  }

  function path(node: number, length: number): Int32Array {
    const ids = new Int32Array(length);
    for (let at = node, i = length - 1; i >= 0; at = parents[at], i--) ids[i] = tokens[at];
    return ids;
  }

  return ({ lattice, depth, root }, context) => {
    if (depth === 0) return { tree: chain(root, []), score: 0 };
    begin(depth * (beam + 1));
    if (lambda < 1) {
      const begun = scorer.begin(context);
      if (isThenable(begun)) return begun as Promise<State>;
      states[0] = begun as State;
    }
    let width = 1;
    let [best, bestLength] = [-1, 0];
    let [finished, finishedLength] = [-1, 0];
    for (let position = 0; position < depth; position++) {
      const last = position === depth - 1;
      const enough = position === 0 ? Number.NEGATIVE_INFINITY : floor;
      const first = lattice.offsets[position];
      const count = lattice.offsets[position + 1] - first;
      let kept = 0;
      let dropped = false;
      let [endRow, endRank, endTotal] = [0, -1, 0];
      for (let row = 0; row < width; row++) {
        const before = live[row] === -1 ? -0 : totals[live[row]]; // the zero that leaves a sum of -0 as it is
        for (let rank = 0; rank < count; rank++) {
          const token = lattice.tokens[first + rank];
          const own = lambda > 0 ? lambda * lattice.logProbs[first + rank] : -0;
          const ends = !last && endIds.includes(token);
          if (own + before < enough) {
            dropped ||= !ends;
            continue;
          }
          if (!ends && kept === beam && own + before < keptTotals[beam - 1]) continue;
          let term = 0;
          if (lambda < 1) {
            asked[0] = states[row];
            id[0] = token;
            answer[0] = Number.NaN;
            const late = scorer.score(asked, id, answer);
            if (isThenable(late)) return late as Promise<void>;
            term = causalTerm(scorer as CausalScorer, answer[0], lambda);
          }
          const total = term + own + before;
          if (ends) {
            if (endRank === -1 || total > endTotal || (total === endTotal && rank < endRank))
              [endRow, endRank, endTotal] = [row, rank, total];
            continue;
          }
          let at = kept;
          while (at > 0 && (total > keptTotals[at - 1] || (total === keptTotals[at - 1] && rank < keptRanks[at - 1])))
            at--;
          if (at === beam) continue;
          if (kept < beam) kept++;
          for (let i = kept - 1; i > at; i--) {
            keptRows[i] = keptRows[i - 1];
            keptRanks[i] = keptRanks[i - 1];
            keptTotals[i] = keptTotals[i - 1];
          }
          keptRows[at] = row;
          keptRanks[at] = rank;
          keptTotals[at] = total;
        }
      }
      if (endRank !== -1 && endTotal >= enough) {
        if (finished === -1 || worth(endTotal, position + 1) >= worth(totals[finished], finishedLength)) {
          finished = addNode(live[endRow], lattice.tokens[first + endRank], endTotal);
          finishedLength = position + 1;
        }
      }
      if (kept === 0) {
        if (finished !== -1 && !dropped) [best, bestLength] = [finished, finishedLength];
        break;
      }
      if (!(keptTotals[0] >= enough)) break;
      for (let i = 0; i < kept; i++) {
        const token = lattice.tokens[first + keptRanks[i]];
        if (lambda < 1 && !last) nextStates[i] = scorer.advance(states[keptRows[i]], token);
        keptRows[i] = addNode(live[keptRows[i]], token, keptTotals[i]);
      }
      for (let i = 0; i < kept; i++) live[i] = keptRows[i];
      [states, nextStates] = [nextStates, states];
      width = kept;
      [best, bestLength] = [live[0], position + 1];
    }
    if (finished !== -1 && worth(totals[finished], finishedLength) > worth(totals[best], bestLength))
      [best, bestLength] = [finished, finishedLength];
    return { tree: chain(root, path(best, bestLength)), score: totals[best] };
  };
}
