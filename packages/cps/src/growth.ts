import { type CausalScorer, type SearchResult, type TokenTree, trunkFirst } from "@diffuspec/contracts";
import type { Trace } from "./beam-search.ts";
import { createHeap } from "./heap.ts";
import { createMixedScores } from "./mixed-scores.ts";
import type { Task } from "./request.ts";

export interface GrowthSettings<State> {
  readonly scorer: CausalScorer<State>;
  readonly lambda: number;
  readonly decay: number;
  readonly batch: number;
  /** ln of the cut: no path behind the first token has a lower score. */
  readonly floor: number;
  readonly eos: ReadonlySet<number>;
}

interface Node<State> {
  readonly token: number;
  /** Index in the tree. */
  readonly parent: number;
  /** Index within its position of the lattice. */
  readonly candidate: number;
  readonly depth: number;
  /** Eq. 8 over the path. */
  readonly score: number;
  /** The same, decayed: what nodes are ranked by. */
  readonly rank: number;
  /** The scorer's state after this token, once it was needed. */
  state?: State;
  /** The terms of Eq. 8 of its candidates, where they were asked for before it joined. */
  values?: Float64Array;
}

/** The order in which nodes join. It does not depend on when the scorer was asked. */
const before = <State>(a: Node<State>, b: Node<State>): boolean => {
  if (a.rank !== b.rank) return a.rank > b.rank;
  return a.parent === b.parent ? a.candidate < b.candidate : a.parent < b.parent;
};

/**
 * A tree that grows best first. A node that has joined waits, unasked, until one of its children could be the next to join:
 * no term of Eq. 8 is above 0, so the best child it may have is bounded by its own rank and the best ln q of the position.
 */
export function createGrowth<State>(settings: GrowthSettings<State>, task: Task, context: Int32Array) {
  const { scorer, lambda, decay, batch, floor, eos } = settings;
  const { lattice, depth, root } = task;
  const mixed = createMixedScores();
  let asynchronous = false;
  const nodes: Node<State>[] = [];
  /** Nodes of the tree whose children are not listed yet. */
  const waiting: number[] = [];
  /** What may join next. */
  const open = createHeap<Node<State>>(before);
  /** By position: no term of Eq. 8 is higher. */
  const ceiling = Float64Array.from({ length: depth }, (_, i) =>
    lambda > 0 ? lambda * highest(lattice.logProbs, lattice.offsets[i], lattice.offsets[i + 1]) : 0,
  );
  // A weight that underflowed to 0 would make NaN of 0 * -Infinity.
  const ranked = (rank: number, level: number, value: number) =>
    rank + Math.max(decay ** level, Number.MIN_VALUE) * value;
  const bound = ({ rank, depth: level }: Node<State>) => ranked(rank, level, ceiling[level]);
  const grows = ({ token, depth: level, score }: Node<State>) =>
    level < depth && !(level > 0 && (eos.has(token) || score + ceiling[level] < floor));

  function child(parent: number, candidate: number, value: number): Node<State> {
    const { depth: level, score, rank } = nodes[parent];
    const token = lattice.tokens[lattice.offsets[level] + candidate];
    return { token, parent, candidate, depth: level + 1, score: score + value, rank: ranked(rank, level, value) };
  }

  /** Lists the children of a node from values[start ..], without the one that is in the tree already. */
  function list(parent: number, values: Float64Array, start: number, without = -1): void {
    const { depth: level } = nodes[parent];
    const width = lattice.offsets[level + 1] - lattice.offsets[level];
    for (let c = 0; c < width; c++) {
      if (c === without) continue;
      const node = child(parent, c, values[start + c]);
      if (level === 0 || node.score >= floor) open.push(node);
    }
  }

  function join(node: Node<State>): void {
    nodes.push(node);
    if (!grows(node)) return;
    if (node.values) list(nodes.length - 1, node.values, 0);
    else waiting.push(nodes.length - 1);
  }

  join({ token: root, parent: -1, candidate: 0, depth: 0, score: 0, rank: 0 });

  /** Of those waiting the one with the best possible child; of equals the first. -1 where none waits. */
  function mostUrgent(): number {
    let best = -1;
    for (let i = 0; i < waiting.length; i++)
      if (best === -1 || bound(nodes[waiting[i]]) > bound(nodes[waiting[best]])) best = i;
    return best;
  }

  /** True where `node` joins before any child that the node at `index` may have. */
  function precedes(node: Node<State>, index: number): boolean {
    const most = bound(nodes[index]);
    return node.rank > most || (node.rank === most && node.parent < index);
  }

  /** Those to ask about together: of one depth, the urgent one first. */
  function company(urgent: Node<State>): Node<State>[] {
    if (!asynchronous) return [urgent];
    const here = (node: Node<State>) => node !== urgent && node.depth === urgent.depth;
    const joined = waiting.map((index) => nodes[index]).filter(here);
    const likely = open.items.filter((node) => here(node) && !node.values && grows(node)).sort(byOrder);
    return [urgent, ...joined.sort(byOrder), ...likely].slice(0, batch);
  }

  function* ask(urgent: Node<State>): Generator<unknown, void, unknown> {
    const group = company(urgent);
    if (lambda < 1)
      for (const node of group) {
        // By presence: a state may be undefined.
        if ("state" in node) continue;
        if (node.parent === -1) node.state = (yield scorer.begin(context)) as State;
        else node.state = scorer.advance(nodes[node.parent].state as State, node.token);
      }
    const states = group.map((node) => node.state as State);
    yield* mixed.fill(scorer, states, lattice, urgent.depth, lambda);
    asynchronous ||= mixed.asynchronous;
    const width = lattice.offsets[urgent.depth + 1] - lattice.offsets[urgent.depth];
    for (const [i, node] of group.entries()) {
      const at = waiting.findIndex((index) => nodes[index] === node);
      if (at === -1) node.values = mixed.values.slice(i * width, (i + 1) * width);
      else list(waiting.splice(at, 1)[0], mixed.values, i * width);
    }
  }

  return {
    /** Makes a path the trunk: its ids after the root's, and what the scorer said of its nodes. */
    plant(path: Int32Array, { rows, asynchronous: was }: Trace<State>): void {
      asynchronous = was;
      waiting.length = 0;
      for (let i = 0; i < path.length; i++) {
        const row = rows[i];
        if (row) nodes[i].state = row.state;
        if (i + 1 === path.length) {
          if (grows(nodes[i]))
            if (row) list(i, row.values, 0);
            else waiting.push(i);
          break;
        }
        const first = lattice.offsets[i];
        const candidate = lattice.tokens.subarray(first, lattice.offsets[i + 1]).indexOf(path[i + 1]);
        list(i, row.values, 0, candidate);
        nodes.push(child(i, candidate, row.values[candidate]));
      }
    },

    /** Grows the tree to `most` nodes, the root not counted, or until nothing is left. */
    *fill(most: number): Generator<unknown, void, unknown> {
      while (nodes.length <= most) {
        const at = mostUrgent();
        if (at === -1 && open.size === 0) return;
        if (at === -1 || (open.size > 0 && precedes(open.peek(), waiting[at]))) join(open.pop());
        else yield* ask(nodes[waiting[at]]);
      }
    },

    tree: (): TokenTree => flat(nodes),

    /** The tree with the path of best children as its trunk, and that path's score. */
    bestFirst(): SearchResult {
      const tree = flat(nodes);
      let leaf = 0;
      for (let next = 0; next !== -1; next = tree.parents.indexOf(leaf)) leaf = next;
      return { tree: trunkFirst(tree), score: nodes[leaf].score };
    },
  };
}

const byOrder = <State>(a: Node<State>, b: Node<State>) => (before(a, b) ? -1 : 1);

const flat = <State>(nodes: readonly Node<State>[]): TokenTree => ({
  tokens: Int32Array.from(nodes, (node) => node.token),
  parents: Int32Array.from(nodes, (node) => node.parent),
});

function highest(values: Float32Array, start: number, end: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i++) most = Math.max(most, values[i]);
  return most;
}
