import { type CausalScorer, chain, type PathSearch, type SearchRequest, type SearchResult } from "@diffuspec/contracts";
import { drive } from "./drive.ts";
import { createHeap } from "./heap.ts";
import { createMixedScores } from "./mixed-scores.ts";
import { bad, checkNames, checkScoreOptions, type ScoreOptions } from "./options.ts";
import { readRequest, violated } from "./request.ts";

export interface BeamOptions<State = unknown> extends ScoreOptions<State> {
  /** B: most live paths. Infinity searches every path: exact, and only for small lattices. Default 3. */
  readonly beam?: number;
  /**
   * How a path that an EOS ended is compared with longer ones. "per-token" (default): by score per token.
   * "paper": by the plain sum of Eq. 8, which favours short paths because every further token lowers it.
   */
  readonly scoring?: "per-token" | "paper";
}

export const BEAM_DEFAULTS = {
  lambda: 0.5,
  beam: 3,
  scoring: "per-token",
  eosIds: [],
  cut: 0,
} as const satisfies Omit<BeamOptions, "scorer">;

/** The paper's constants with its plain sum. */
export const BEAM_PAPER = { ...BEAM_DEFAULTS, scoring: "paper" } as const satisfies Omit<BeamOptions, "scorer">;

/** An unbounded beam gives up here rather than fill the memory. */
const MAX_PATHS = 2 ** 18;

/**
 * Causal-consistency path search (Eq. 8): the chain that maximises
 * S = sum over i of lambda * ln q(token i) + (1 - lambda) * ln p(token i | context, tokens before i),
 * found by beam search from left to right. `score` of the result is this plain sum, in nats, under either scoring.
 *
 * A path that takes an EOS is finished. Finished paths hold no place in the beam; the best of them meets the best path of
 * full length at the end, and of equals the longer wins. Among equal live paths the lower candidate rank goes first, then
 * the better parent.
 *
 * The scorer is asked once a position, for all live paths. Where it answers synchronously, `search` returns a plain value.
 * A second search may start before an asynchronous one has ended.
 *
 * @throws ERR_OPTION; `search` throws or rejects with ERR_CONTRACT for a malformed request, a scorer that gives no number,
 * and an unbounded beam that grows past 2^18 paths
 */
export function createBeamSearch<State>(options: BeamOptions<State>): PathSearch {
  const { scorer, lambda, beam, scoring, eosIds, cut } = { ...BEAM_DEFAULTS, ...options };
  checkNames(options, ["scorer", ...Object.keys(BEAM_DEFAULTS)]);
  checkScoreOptions({ scorer, lambda, eosIds, cut });
  if (beam !== Number.POSITIVE_INFINITY && !(Number.isInteger(beam) && beam >= 1 && beam <= MAX_PATHS))
    throw bad("beam", beam, `it is an integer in 1..${MAX_PATHS}, or Infinity`);
  if (scoring !== "paper" && scoring !== "per-token") throw bad("scoring", scoring, 'it is "per-token" or "paper"');
  const eos = new Set<number>(eosIds);
  const floor = Math.log(cut);
  const worth = (score: number, length: number) => (scoring === "paper" ? score : score / length);
  let idle: Workspace<State> | undefined;

  function* steps(request: SearchRequest): Generator<unknown, SearchResult, unknown> {
    const { lattice, depth, root } = readRequest(request);
    if (depth === 0) return { tree: chain(root, []), score: 0 };
    const work = idle ?? createWorkspace<State>();
    idle = undefined;
    try {
      work.begin(lambda < 1 ? ((yield scorer.begin(request.context)) as State) : (undefined as State));
      let best = -1;
      let finished = -1;
      for (let position = 0; position < depth; position++) {
        const first = lattice.offsets[position];
        const width = lattice.offsets[position + 1] - first;
        const last = position === depth - 1;
        yield* work.mixed.fill(scorer, work.states, lattice, position, lambda);
        const ended = work.select(width, beam, last ? undefined : (c) => eos.has(lattice.tokens[first + c]));
        const enough = position === 0 ? Number.NEGATIVE_INFINITY : floor;
        if (ended !== -1 && work.mixed.values[ended] >= enough) {
          const node = work.addNode(ended, lattice.tokens[first + (ended % width)]);
          if (
            finished === -1 ||
            worth(work.total[node], position + 1) >= worth(work.total[finished], work.length(finished))
          )
            finished = node;
        }
        work.advance(lambda < 1 && !last ? scorer : undefined, (c) => lattice.tokens[first + c]);
        if (work.live.length === 0) {
          if (finished !== -1) best = finished;
          break;
        }
        if (!(work.total[work.live[0]] >= enough)) break;
        best = work.live[0];
      }
      if (
        finished !== -1 &&
        worth(work.total[finished], work.length(finished)) > worth(work.total[best], work.length(best))
      )
        best = finished;
      return { tree: chain(root, work.path(best)), score: work.total[best] };
    } finally {
      idle = work;
    }
  }

  return { name: "cps", search: (request) => drive(steps(request)) };
}

type Workspace<State> = ReturnType<typeof createWorkspace<State>>;

/** The memory of one search at a time: paths as parent pointers, the live ones best first. A cell is (live path, candidate). */
function createWorkspace<State>() {
  const mixed = createMixedScores();
  const token: number[] = [];
  const parent: number[] = [];
  const total: number[] = [];
  let live: number[] = [];
  let nextLive: number[] = [];
  let states: State[] = [];
  let nextStates: State[] = [];
  let width = 1;
  const better = (a: number, b: number) => {
    if (mixed.values[a] !== mixed.values[b]) return mixed.values[a] > mixed.values[b];
    const rank = (a % width) - (b % width);
    return rank === 0 ? a < b : rank < 0;
  };
  /** The worst kept cell is on top. */
  const kept = createHeap<number>((a, b) => better(b, a));
  const cells: number[] = [];

  return {
    mixed,
    total,
    get live() {
      return live;
    },
    get states() {
      return states;
    },
    begin(state: State) {
      token.length = parent.length = total.length = 0;
      live = [-1];
      states = [state];
    },
    /** Keeps the best `beam` cells that are not `ending`; returns the best ending one, or -1. */
    select(positionWidth: number, beam: number, ending?: (candidate: number) => boolean): number {
      width = positionWidth;
      kept.clear();
      let bestEnding = -1;
      for (let cell = 0; cell < live.length * width; cell++) {
        const from = live[(cell / width) | 0];
        if (from !== -1) mixed.values[cell] += total[from];
        if (ending?.(cell % width)) {
          if (bestEnding === -1 || better(cell, bestEnding)) bestEnding = cell;
        } else if (kept.size < beam) {
          if (kept.size === MAX_PATHS) throw violated(`the unbounded beam holds more than ${MAX_PATHS} paths`);
          kept.push(cell);
        } else if (better(cell, kept.peek())) {
          kept.pop();
          kept.push(cell);
        }
      }
      return bestEnding;
    },
    /** Makes a cell of the position at hand a path of its own. */
    addNode(cell: number, id: number): number {
      parent.push(live[(cell / width) | 0]);
      total.push(mixed.values[cell]);
      return token.push(id) - 1;
    },
    /** The kept cells become the live paths; their states are computed where a scorer is given. */
    advance(scorer: CausalScorer<State> | undefined, id: (candidate: number) => number) {
      cells.length = nextLive.length = nextStates.length = 0;
      while (kept.size > 0) cells.push(kept.pop());
      for (const cell of cells.reverse()) {
        const next = id(cell % width);
        const state = states[(cell / width) | 0];
        nextStates.push(scorer ? scorer.advance(state, next) : state);
        nextLive.push(this.addNode(cell, next));
      }
      [live, nextLive, states, nextStates] = [nextLive, live, nextStates, states];
    },
    length(node: number): number {
      let length = 0;
      for (let at = node; at !== -1; at = parent[at]) length++;
      return length;
    },
    path(node: number): number[] {
      const ids: number[] = [];
      for (let at = node; at !== -1; at = parent[at]) ids.push(token[at]);
      return ids.reverse();
    },
  };
}
