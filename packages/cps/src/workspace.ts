import type { CausalScorer } from "@diffuspec/contracts";
import { createHeap } from "./heap.ts";
import { createMixedScores } from "./mixed-scores.ts";
import { violated } from "./request.ts";

/** An unbounded beam gives up here rather than fill the memory. */
export const MAX_PATHS = 2 ** 18;

export type Workspace<State> = ReturnType<typeof createWorkspace<State>>;

/** The memory of one search at a time: paths as parent pointers, the live ones best first. A cell is (live path, candidate). */
export function createWorkspace<State>() {
  const mixed = createMixedScores();
  const token: number[] = [];
  const parent: number[] = [];
  const total: number[] = [];
  let live: number[] = [];
  let nextLive: number[] = [];
  let states: State[] = [];
  let nextStates: State[] = [];
  let width = 1;
  let room = 1;
  let isEnding: (candidate: number) => boolean = () => false;
  let bestEnding = -1;
  let dropped = false;
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
    /** Begins a position: of the cells offered, the best `beam` that are not `ending` are kept. */
    open(positionWidth: number, beam: number, ending: (candidate: number) => boolean) {
      width = positionWidth;
      room = beam;
      isEnding = ending;
      bestEnding = -1;
      dropped = false;
      kept.clear();
    },
    /**
     * False where a path is neither kept nor ended whatever the scorer says: with a term of at most `term` it stays below
     * `least`, or falls behind the paths kept so far.
     */
    mayMatter(cell: number, term: number, least: number): boolean {
      const from = live[(cell / width) | 0];
      const most = from === -1 ? term : term + total[from];
      const ending = isEnding(cell % width);
      if (most < least) dropped ||= !ending;
      else return ending || kept.size < room || most >= mixed.values[kept.peek()];
      return false;
    },
    /** Takes a cell whose term is in `mixed.values`. */
    offer(cell: number) {
      const from = live[(cell / width) | 0];
      if (from !== -1) mixed.values[cell] += total[from];
      if (isEnding(cell % width)) {
        if (bestEnding === -1 || better(cell, bestEnding)) bestEnding = cell;
      } else if (kept.size < room) {
        if (kept.size === MAX_PATHS) throw violated(`the unbounded beam holds more than ${MAX_PATHS} paths`);
        kept.push(cell);
      } else if (better(cell, kept.peek())) {
        kept.pop();
        kept.push(cell);
      }
    },
    /** The best ending cell of the position, or -1. */
    get bestEnding() {
      return bestEnding;
    },
    /** True where a cell that does not end was below `least`. */
    get dropped() {
      return dropped;
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
    /** The nodes of a path, its first token's first. */
    nodes(node: number): number[] {
      const nodes: number[] = [];
      for (let at = node; at !== -1; at = parent[at]) nodes.push(at);
      return nodes.reverse();
    },
    path(node: number): number[] {
      return this.nodes(node).map((at) => token[at]);
    },
  };
}
