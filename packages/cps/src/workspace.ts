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
  let live: number[] = [];
  let nextLive: number[] = [];
  let states: State[] = [];
  let nextStates: State[] = [];
  let width = 1;
  let room = 1;
  let first = 0;
  let tokens: Lattice["tokens"] = new Int32Array(0);
  let ends: ReadonlySet<number> = new Set();
  let bestEnding = -1;
  let dropped = false;
  const tokenOf = (cell: number) => tokens[first + (cell % width)];
  const isEnding = (cell: number) => ends.size > 0 && ends.has(tokenOf(cell));
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
    /** Begins a position: of the cells offered, the best `beam` whose token is not among `ending` are kept. */
    open(lattice: Lattice, position: number, beam: number, ending: ReadonlySet<number>) {
      tokens = lattice.tokens;
      first = lattice.offsets[position];
      width = lattice.offsets[position + 1] - first;
      room = beam;
      ends = ending;
      bestEnding = -1;
      dropped = false;
      kept.clear();
    },
    get tokens() {
      return tokens;
    },
    /** Of the position: its first candidate in the lattice, and their number. */
    get first() {
      return first;
    },
    get width() {
      return width;
    },
    /**
     * False where a path is neither kept nor ended whatever the scorer says: with a term of at most `term` it stays below
     * `least`, or falls behind the paths kept so far.
     */
    mayMatter(cell: number, term: number, least: number): boolean {
      const from = live[(cell / width) | 0];
      const most = from === -1 ? term : term + total[from];
      const ending = isEnding(cell);
      if (most < least) dropped ||= !ending;
      else return ending || kept.size < room || most >= mixed.values[kept.peek()];
      return false;
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
    /** True where a cell that does not end was below `least`. */
    get dropped() {
      return dropped;
    },
    /** Makes a cell of the position at hand a path of its own. */
    addNode(cell: number): number {
      parent.push(live[(cell / width) | 0]);
      total.push(mixed.values[cell]);
      return token.push(tokenOf(cell)) - 1;
    },
    /** The kept cells become the live paths; their states are computed where a scorer is given. */
    advance(scorer: CausalScorer<State> | undefined) {
      cells.length = nextLive.length = nextStates.length = 0;
      while (kept.size > 0) cells.push(kept.pop());
      for (let i = cells.length - 1; i >= 0; i--) {
        const state = states[(cells[i] / width) | 0];
        nextStates.push(scorer ? scorer.advance(state, tokenOf(cells[i])) : state);
        nextLive.push(this.addNode(cells[i]));
      }
      const [wasLive, wasStates] = [live, states];
      live = nextLive;
      states = nextStates;
      nextLive = wasLive;
      nextStates = wasStates;
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
