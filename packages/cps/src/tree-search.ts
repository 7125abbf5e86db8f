import {
  MAX_TREE_NODES,
  type PathSearch,
  type SearchRequest,
  type SearchResult,
  type TokenTree,
  trunkFirst,
} from "@diffuspec/contracts";
import { BEAM_DEFAULTS, type BeamOptions, createBeamSearch } from "./beam-search.ts";
import { drive } from "./drive.ts";
import { createHeap } from "./heap.ts";
import { createMixedScores } from "./mixed-scores.ts";
import { bad, checkNames } from "./options.ts";
import { readRequest } from "./request.ts";

export interface TreeOptions<State = unknown> extends BeamOptions<State> {
  /** Most nodes, the root not counted; a request may allow fewer. Default 1023. */
  readonly maxNodes?: number;
  /**
   * A token at depth d weighs decay^(d-1) when nodes are ranked, 0 < decay <= 1. Less than 1 makes deeper trees: the plain
   * sum treats every further token as a loss. Scores that are reported stay undecayed. Default 1.
   */
  readonly decay?: number;
  /**
   * "beam" (default): the path of the beam search goes in first, whole, and the rest of the nodes branch off it. The trunk is
   * all that an exact verifier commits from, so it is then never shorter than the chain would be.
   * "best-first": the nodes of the highest score alone; the trunk is the path of best children.
   */
  readonly trunk?: "beam" | "best-first";
}

export const TREE_DEFAULTS = {
  ...BEAM_DEFAULTS,
  maxNodes: MAX_TREE_NODES - 1,
  decay: 1,
  trunk: "beam",
} as const satisfies Omit<TreeOptions, "scorer">;

/**
 * A token tree out of a lattice, best first by the sum of Eq. 8 over a node's path: the next node is always the best one whose
 * parent is in the tree. Equal scores go to the parent that came first, then to the lower candidate rank. An EOS has no
 * children. The scorer is asked once a node that may have children; synchronous where it is.
 *
 * @throws ERR_OPTION; `search` throws or rejects with ERR_CONTRACT as the beam search does
 */
export function createTreeSearch<State>(options: TreeOptions<State>): PathSearch {
  const { scorer, lambda, beam, scoring, eosIds, cut, maxNodes, decay, trunk } = { ...TREE_DEFAULTS, ...options };
  checkNames(options, ["scorer", ...Object.keys(TREE_DEFAULTS)]);
  const beamSearch = createBeamSearch({ scorer, lambda, beam, scoring, eosIds, cut });
  if (!Number.isInteger(maxNodes) || maxNodes < 1 || maxNodes >= MAX_TREE_NODES)
    throw bad("maxNodes", maxNodes, `it is an integer in 1..${MAX_TREE_NODES - 1}`);
  if (!(decay > 0 && decay <= 1)) throw bad("decay", decay, "it is a number, 0 < decay <= 1");
  if (trunk !== "beam" && trunk !== "best-first") throw bad("trunk", trunk, 'it is "beam" or "best-first"');
  const eos = new Set<number>(eosIds);
  const floor = Math.log(cut);

  function* steps(request: SearchRequest): Generator<unknown, SearchResult, unknown> {
    const { lattice, depth, root, nodes } = readRequest(request);
    const most = Math.min(maxNodes, nodes);
    const path =
      trunk === "beam" ? ((yield beamSearch.search({ ...request, nodes: most })) as SearchResult) : undefined;
    const onPath = path?.tree.tokens ?? new Int32Array(0);

    const mixed = createMixedScores();
    const states: State[] = [];
    const tree: Node[] = [{ token: root, parent: -1, depth: 0, score: 0, rank: 0, forced: true, order: 0 }];
    // What may join the tree next. Entries are made parent by parent, best candidate first; `order` remembers that.
    const open = createHeap<Node>((a, b) => {
      if (a.forced !== b.forced) return a.forced;
      return a.rank === b.rank ? a.order < b.order : a.rank > b.rank;
    });
    let order = 0;

    for (let parent = 0; ; parent++) {
      const { token, depth: level, score, rank, forced } = tree[parent];
      if (level < depth && !(parent > 0 && eos.has(token)) && tree.length <= most) {
        if (lambda < 1)
          states[parent] =
            parent === 0
              ? ((yield scorer.begin(request.context)) as State)
              : scorer.advance(states[tree[parent].parent], token);
        yield* mixed.fill(scorer, [states[parent]], lattice, level, lambda);
        const first = lattice.offsets[level];
        for (let c = first; c < lattice.offsets[level + 1]; c++) {
          const sum = score + mixed.values[c - first];
          if (sum < floor && level > 0) continue;
          open.push({
            token: lattice.tokens[c],
            parent,
            depth: level + 1,
            score: sum,
            rank: rank + decay ** level * mixed.values[c - first],
            forced: forced && level + 1 < onPath.length && onPath[level + 1] === lattice.tokens[c],
            order: order++,
          });
        }
      }
      if (open.size === 0 || tree.length > most) break;
      tree.push(open.pop());
    }
    const flat: TokenTree = {
      tokens: Int32Array.from(tree, (node) => node.token),
      parents: Int32Array.from(tree, (node) => node.parent),
    };
    if (path) return { tree: flat, score: path.score };
    let leaf = 0;
    for (let child = 0; child !== -1; child = flat.parents.indexOf(leaf)) leaf = child;
    return { tree: trunkFirst(flat), score: tree[leaf].score };
  }

  return { name: "cps-tree", search: (request) => drive(steps(request)) };
}

interface Node {
  readonly token: number;
  readonly parent: number;
  readonly depth: number;
  /** Eq. 8 over the path. */
  readonly score: number;
  /** The same, decayed: what nodes are ranked by. */
  readonly rank: number;
  /** On the beam's path, which goes in first. */
  readonly forced: boolean;
  readonly order: number;
}
