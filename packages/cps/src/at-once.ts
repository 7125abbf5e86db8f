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
  let live = new Int32Array(beam);
  let nextLive = new Int32Array(beam);
  let states: State[] = [];
  let nextStates: State[] = [];
  // of the position at hand, the paths kept so far, best first: the live path they go on from, the candidate's rank, the score
  const keptRows = new Int32Array(beam);
  const keptRanks = new Int32Array(beam);
  const keptTotals = new Float64Array(beam);
  let kept = 0;
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
    answer[0] = 0;
    if (nodes <= tokens.length) return;
    tokens = new Int32Array(2 * nodes);
    parents = new Int32Array(2 * nodes);
    totals = new Float64Array(2 * nodes);
  }

  /** Leaves (1 - lambda) * ln p(token | state) in `answer`, unless the scorer makes a promise, which is returned. */
  function ask(state: State, token: number): PromiseLike<unknown> | undefined {
    asked[0] = state;
    id[0] = token;
    answer[0] = Number.NaN;
    const late = scorer.score(asked, id, answer);
    if (isThenable(late)) return late as Promise<void>;
    answer[0] = causalTerm(scorer as CausalScorer, answer[0], lambda);
    return undefined;
  }

  /** Takes a path among the kept ones, of which the last may fall out. Those of earlier rows have come before it. */
  function keep(row: number, rank: number, total: number): void {
    let at = kept;
    while (at > 0 && better(total, rank, keptTotals[at - 1], keptRanks[at - 1])) at--;
    if (at === beam) return;
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

  function result(root: number, node: number, length: number): SearchResult {
    const path = new Int32Array(length);
    for (let at = node, i = length - 1; i >= 0; at = parents[at], i--) path[i] = tokens[at];
    return { tree: chain(root, path), score: totals[node] };
  }

  return ({ lattice, depth, root }, context) => {
    if (depth === 0) return { tree: chain(root, []), score: 0 };
    begin((lattice.offsets[depth] + depth) * beam);
    if (lambda < 1) {
      const begun = scorer.begin(context);
      if (isThenable(begun)) return begun as Promise<State>;
      states[0] = begun as State;
    }
    let width = 1;
    let best = -1;
    let length = 0;
    let finished = -1;
    let finishedLength = 0;
    for (let position = 0; position < depth; position++) {
      const last = position === depth - 1;
      const enough = position === 0 ? Number.NEGATIVE_INFINITY : floor;
      const first = lattice.offsets[position];
      const count = lattice.offsets[position + 1] - first;
      let dropped = false;
      let ending = -1;
      let endingRank = 0;
      kept = 0;
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
          const late = lambda < 1 ? ask(states[row], token) : undefined;
          if (late) return late;
          const total = answer[0] + own + before;
          if (!ends) keep(row, rank, total);
          else if (ending === -1 || better(total, rank, totals[ending], endingRank)) {
            ending = addNode(live[row], token, total);
            endingRank = rank;
          }
        }
      }
      const here = position + 1;
      if (ending !== -1 && totals[ending] >= enough)
        if (finished === -1 || worth(totals[ending], here) >= worth(totals[finished], finishedLength)) {
          finished = ending;
          finishedLength = here;
        }
      if (kept === 0 && finished !== -1 && !dropped) return result(root, finished, finishedLength);
      if (kept === 0 || !(keptTotals[0] >= enough)) break;
      for (let i = 0; i < kept; i++) {
        const token = lattice.tokens[first + keptRanks[i]];
        if (lambda < 1 && !last) nextStates[i] = scorer.advance(states[keptRows[i]], token);
        nextLive[i] = addNode(live[keptRows[i]], token, keptTotals[i]);
      }
      [live, nextLive] = [nextLive, live];
      [states, nextStates] = [nextStates, states];
      width = kept;
      best = live[0];
      length = here;
    }
    const early = finished !== -1 && worth(totals[finished], finishedLength) > worth(totals[best], length);
    return early ? result(root, finished, finishedLength) : result(root, best, length);
  };
}

const better = (total: number, rank: number, otherTotal: number, otherRank: number) =>
  total > otherTotal || (total === otherTotal && rank < otherRank);
