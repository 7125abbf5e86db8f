import { MAX_TREE_NODES, type PathSearch, type SearchRequest, type SearchResult } from "@diffuspec/contracts";
import { BEAM_DEFAULTS, type BeamOptions, beamSteps, type Trace } from "./beam-search.ts";
import { drive } from "./drive.ts";
import { createGrowth } from "./growth.ts";
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
  /**
   * Most nodes that an asynchronous scorer is asked about in one call, 1..1023. Some of them may turn out not to have been
   * needed; the tree is the same for every value. A synchronous scorer is asked about one node at a time. Default 16.
   */
  readonly batch?: number;
}

export const TREE_DEFAULTS = {
  ...BEAM_DEFAULTS,
  maxNodes: MAX_TREE_NODES - 1,
  decay: 1,
  trunk: "beam",
  batch: 16,
} as const satisfies Omit<TreeOptions, "scorer">;

/**
 * A token tree out of a lattice, best first by the sum of Eq. 8 over a node's path: the next node is always the best one whose
 * parent is in the tree. Equal scores go to the parent that came first, then to the lower candidate rank. An EOS has no
 * children.
 *
 * The scorer is asked about a node only once a child of it could be next, and never twice: what the beam search has asked
 * along its path is used again. A synchronous scorer makes the whole search synchronous. An asynchronous one is asked about
 * up to `batch` nodes of one depth at a time: nodes in the tree, and behind them the best that might join it.
 *
 * @throws ERR_OPTION; `search` throws or rejects with ERR_CONTRACT as the beam search does
 */
export function createTreeSearch<State>(options: TreeOptions<State>): PathSearch {
  const { scorer, lambda, beam, scoring, eosIds, cut, maxNodes, decay, trunk, batch } = {
    ...TREE_DEFAULTS,
    ...options,
  };
  checkNames(options, ["scorer", ...Object.keys(TREE_DEFAULTS)]);
  const beamSearch = beamSteps({ scorer, lambda, beam, scoring, eosIds, cut });
  if (!Number.isInteger(maxNodes) || maxNodes < 1 || maxNodes >= MAX_TREE_NODES)
    throw bad("maxNodes", maxNodes, `it is an integer in 1..${MAX_TREE_NODES - 1}`);
  if (!(decay > 0 && decay <= 1)) throw bad("decay", decay, "it is a number, 0 < decay <= 1");
  if (trunk !== "beam" && trunk !== "best-first") throw bad("trunk", trunk, 'it is "beam" or "best-first"');
  if (!Number.isInteger(batch) || batch < 1 || batch >= MAX_TREE_NODES)
    throw bad("batch", batch, `it is an integer in 1..${MAX_TREE_NODES - 1}`);
  const settings = { scorer, lambda, decay, batch, floor: Math.log(cut), eos: new Set<number>(eosIds) };

  function* steps(request: SearchRequest): Generator<unknown, SearchResult, unknown> {
    const task = readRequest(request);
    const most = Math.min(maxNodes, task.nodes);
    const growth = createGrowth(settings, task, request.context);
    if (trunk === "best-first") {
      yield* growth.fill(most);
      return growth.bestFirst();
    }
    const trace: Trace<State> = { asynchronous: false, rows: [] };
    const path = yield* beamSearch({ ...request, nodes: most }, trace);
    growth.plant(path.tree.tokens, trace);
    yield* growth.fill(most);
    return { tree: growth.tree(), score: path.score };
  }

  return { name: "cps-tree", search: (request) => drive(steps(request)) };
}
