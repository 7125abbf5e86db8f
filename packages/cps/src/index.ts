/**
 * Causal-consistency path search over a token lattice (DiffuSpec, Eq. 8): the drafter's marginals and a left-to-right
 * model together choose what to propose.
 *
 * @module
 * @example
 * import { createBeamSearch } from "@diffuspec/cps";
 * const search = createBeamSearch({ scorer, lambda: 0.5, beam: 3, eosIds: [0] });
 * const { tree, score } = await search.search({ lattice, context: Int32Array.of(5, 6), nodes: 16 });
 */
export { type ArgmaxSearch, createArgmaxSearch } from "./argmax-search.ts";
export { BEAM_DEFAULTS, BEAM_PAPER, type BeamOptions, createBeamSearch } from "./beam-search.ts";
export type { ScoreOptions } from "./options.ts";
export { createPooledSearch, POOLED_DEFAULTS, type PooledOptions } from "./pooled-search.ts";
export { createTreeSearch, TREE_DEFAULTS, type TreeOptions } from "./tree-search.ts";
