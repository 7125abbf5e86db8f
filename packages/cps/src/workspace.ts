import type { CausalScorer, Lattice } from "@diffuspec/contracts";
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
  /** Nodes made by the search at hand; the arrays may be longer. */
  let made = 0;
  let live: number[] = [];
  let states: State[] = [];
  let width = 1;
  let room = 1;
  let first = 0;
  let tokens: Lattice["tokens"] = new Int32Array(0);
  let ends: ReadonlySet<number> = new Set();
  let bestEnding = -1;
  const tokenOf = (cell: number) => tokens[first + (cell % width)];
  const isEnding = (cell: number) => ends.size > 0 && ends.has(tokenOf(cell));
  const better = (a: number, b: number) => {
    if (mixed.values[a] !== mixed.values[b]) return mixed.values[a] > mixed.values[b];
    const rank = (a % width) - (b % width);
    return rank === 0 ? a < b : rank < 0;
  };
  /** The worst kept cell is on top. */
  const kept = createHeap<number>((a, b) => better(b, a));

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
      made = 0;
      live = [-1];
      states = [state];
    },
    /** Begins a position: of the cells offered, the best `beam` whose token is not among `ending` are kept. */
    open(lattice: Lattice, position: number, beam: number, ending: ReadonlySet<number>) {
      tokens = lattice.tokens;
      first = lattice.offsets[position];
      width = lattice.offsets[position + 1] - first;
      room = beam;
      ends = ending;
      bestEnding = -1;
      kept.clear();
    },
    /** Candidates of the position. */
    get width() {
      return width;
    },
    /** Takes a cell whose term is in `mixed.values`. */
    offer(cell: number) {
      const from = live[(cell / width) | 0];
      if (from !== -1) mixed.values[cell] += total[from];
      if (isEnding(cell)) {
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
    /** Makes a cell of the position at hand a path of its own. */
    addNode(cell: number): number {
      parent[made] = live[(cell / width) | 0];
      total[made] = mixed.values[cell];
      token[made] = tokenOf(cell);
      return made++;
    },
    /** The kept cells become the live paths; their states are computed where a scorer is given. */
    advance(scorer: CausalScorer<State> | undefined) {
      const cells: number[] = [];
      while (kept.size > 0) cells.push(kept.pop());
      const nextLive: number[] = [];
      const nextStates: State[] = [];
      for (let i = cells.length - 1; i >= 0; i--) {
        const state = states[(cells[i] / width) | 0];
        nextStates.push(scorer ? scorer.advance(state, tokenOf(cells[i])) : state);
        nextLive.push(this.addNode(cells[i]));
      }
      live = nextLive;
      states = nextStates;
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
