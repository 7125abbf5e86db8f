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
  /** No child of it can rank higher. */
  readonly bound: number;
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
  /** Indices of nodes of the tree whose children are not listed yet, the one with the best possible child first. */
  const waiting = createHeap<number>((a, b) => {
    const [one, other] = [nodes[a].bound, nodes[b].bound];
    return one === other ? a < b : one > other;
  });
  /** By index: true once the children are listed. An asked node leaves `waiting` only when it comes to its top. */
  const listed: boolean[] = [];
  /** What may join next. */
  const open = createHeap<Node<State>>(before);
  /** By position: no term of Eq. 8 is higher. */
  const ceiling = Float64Array.from({ length: depth }, (_, i) =>
    lambda > 0 ? lambda * highest(lattice.logProbs, lattice.offsets[i], lattice.offsets[i + 1]) : 0,
  );
  /** By position. A weight that underflowed to 0 would make NaN of 0 * -Infinity. */
  const weight = Float64Array.from({ length: depth }, (_, i) => Math.max(decay ** i, Number.MIN_VALUE));
  const boundOf = (rank: number, level: number) => (level < depth ? rank + weight[level] * ceiling[level] : rank);
  const grows = ({ token, depth: level, score }: Node<State>) =>
    level < depth && !(level > 0 && (eos.has(token) || score + ceiling[level] < floor));

  function child(parent: number, candidate: number, value: number): Node<State> {
    const { depth: level, score, rank: before } = nodes[parent];
    const token = lattice.tokens[lattice.offsets[level] + candidate];
    const rank = before + weight[level] * value;
    return { token, parent, candidate, depth: level + 1, score: score + value, rank, bound: boundOf(rank, level + 1) };
  }

  /** Lists the children of a node from values[start ..], without the one that is in the tree already. */
  function list(parent: number, values: Float64Array, start: number, without = -1): void {
    listed[parent] = true;
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

  join({ token: root, parent: -1, candidate: 0, depth: 0, score: 0, rank: 0, bound: boundOf(0, 0) });

  /** Of those waiting the one with the best possible child; of equals the first. -1 where none waits. */
  function mostUrgent(): number {
    while (waiting.size > 0 && listed[waiting.peek()]) waiting.pop();
    return waiting.size > 0 ? waiting.peek() : -1;
  }

  /** True where `node` joins before any child that the node at `index` may have. */
  function precedes(node: Node<State>, index: number): boolean {
    const { bound } = nodes[index];
    return node.rank > bound || (node.rank === bound && node.parent < index);
  }

  /** Nodes to ask about together with the urgent one, of its depth: in the tree (their index is known), or likely to join. */
  function company(urgent: number): { node: Node<State>; index: number }[] {
    const first = { node: nodes[urgent], index: urgent };
    if (!asynchronous) return [first];
    const here = (node: Node<State>) => node.depth === first.node.depth;
    const joined = waiting
      .items()
      .filter((index) => index !== urgent && !listed[index] && here(nodes[index]))
      .map((index) => ({ node: nodes[index], index }));
    const likely = open
      .items()
      .filter((node) => here(node) && !node.values && grows(node))
      .map((node) => ({ node, index: -1 }));
    return [first, ...joined.sort(byOrder), ...likely.sort(byOrder)].slice(0, batch);
  }

  function* ask(urgent: number): Generator<unknown, void, unknown> {
    const group = company(urgent);
    const level = nodes[urgent].depth;
    if (lambda < 1)
      for (const { node } of group) {
        // By presence: a state may be undefined.
        if ("state" in node) continue;
        if (node.parent === -1) node.state = (yield scorer.begin(context)) as State;
        else node.state = scorer.advance(nodes[node.parent].state as State, node.token);
      }
    const states = group.map(({ node }) => node.state as State);
    yield* mixed.fill(scorer, states, lattice, level, lambda);
    asynchronous ||= mixed.asynchronous;
    const width = lattice.offsets[level + 1] - lattice.offsets[level];
    for (const [i, { node, index }] of group.entries())
      if (index === -1) node.values = mixed.values.slice(i * width, (i + 1) * width);
      else list(index, mixed.values, i * width);
  }

  return {
    /** Makes a path the trunk: its ids after the root's, and what the scorer said of its nodes. */
    plant(path: Int32Array, { rows, asynchronous: was }: Trace<State>): void {
      asynchronous = was;
      waiting.clear();
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
        const urgent = mostUrgent();
        if (urgent === -1 && open.size === 0) return;
        if (urgent === -1 || (open.size > 0 && precedes(open.peek(), urgent))) join(open.pop());
        else yield* ask(urgent);
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

const byOrder = <State>(a: { node: Node<State> }, b: { node: Node<State> }) => (before(a.node, b.node) ? -1 : 1);

const flat = <State>(nodes: readonly Node<State>[]): TokenTree => ({
  tokens: Int32Array.from(nodes, (node) => node.token),
  parents: Int32Array.from(nodes, (node) => node.parent),
});

function highest(values: Float32Array, start: number, end: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i++) most = Math.max(most, values[i]);
  return most;
}
