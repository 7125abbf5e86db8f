import { defined, optionError, refuseUnknown, requireInteger, requireNumber } from "./checks.ts";

/**
 * How a lattice becomes a draft: by the pool of drafter and n-gram, which takes candidates of both and which models of ours choose
 * (`pooled`), by Eq. 8's beam search, or as the best-first tree. Who names lambda, beam, cut or tree gets Eq. 8: lambda weighs the drafter
 * against the n-gram, `cut` ends a draft where agreement becomes unlikely. `tree` asks for the tree with the same lambda, beam and cut,
 * of at most `maxNodes` tokens; a token at depth d weighs decay^(d-1). "tree" alone is the tree with the constants of @diffuspec/cps.
 * `online` (default true) lets the n-gram learn from the text at hand.
 */
export type SearchOption =
  | {
      readonly lambda?: number;
      readonly beam?: number;
      readonly cut?: number;
      readonly online?: boolean;
      readonly pooled?: boolean | PooledOption;
      readonly tree?: { readonly maxNodes?: number; readonly decay?: number };
    }
  | "tree";

/**
 * Constants of the pooled search: the diffusion model drafts `positions` tokens at most, behind which the n-gram goes on alone (a
 * published drafter as many as are asked for), and a draft ends before the chance of all of it falls below `cut`.
 */
export interface PooledOption {
  readonly positions?: number;
  readonly cut?: number;
}

/** @throws ERR_OPTION */
export function checkSearch(search: SearchOption): void {
  if (search === "tree") return;
  if (typeof search !== "object" || search === null)
    throw optionError("search", search, '"tree" or an object { lambda, beam, cut, online, pooled, tree }');
  refuseUnknown("search", search, ["lambda", "beam", "cut", "online", "pooled", "tree"]);
  if (search.lambda !== undefined) requireNumber("search.lambda", search.lambda, 0, 1);
  if (search.beam !== undefined) requireInteger("search.beam", search.beam, 1, 1024);
  const { cut, online, pooled, tree } = search;
  checkCut("search.cut", cut);
  if (tree !== undefined) checkTree(tree);
  if (online !== undefined && typeof online !== "boolean") throw optionError("search.online", online, "true or false");
  if (pooled !== undefined && typeof pooled !== "boolean") checkPooled(pooled);
}

function checkPooled(pooled: PooledOption): void {
  if (typeof pooled !== "object" || pooled === null)
    throw optionError("search.pooled", pooled, "true, false or an object { positions, cut }");
  refuseUnknown("search.pooled", pooled, ["positions", "cut"]);
  if (pooled.positions !== undefined) requireInteger("search.pooled.positions", pooled.positions, 1, 1023);
  checkCut("search.pooled.cut", pooled.cut);
}

/**
 * The caller's search over the model's own.
 *
 * @throws ERR_OPTION where the caller asks for the pool and for what it does not take
 */
export function fittedSearch(own: Exclude<SearchOption, "tree">, given: SearchOption): SearchOption {
  if (given === "tree") return given;
  const named = (["lambda", "beam", "cut", "tree"] as const).find((name) => given[name] !== undefined);
  if (named === undefined) return { ...own, ...given, pooled: fittedPool(own.pooled, given.pooled) };
  if (given.pooled)
    throw optionError(`search.${named}`, given[named], "left out beside search.pooled, which has { positions, cut }");
  return { ...own, ...given, pooled: false };
}

type Pooled = boolean | PooledOption;

function fittedPool(own: Pooled = false, given: Pooled = own): Pooled {
  if (typeof own !== "object" || given === false) return given;
  return { ...own, ...(given !== true && defined(given)) };
}

function checkTree(tree: { readonly maxNodes?: number; readonly decay?: number }): void {
  refuseUnknown("search.tree", tree, ["maxNodes", "decay"]);
  if (tree.maxNodes !== undefined) requireInteger("search.tree.maxNodes", tree.maxNodes, 1, 1023);
  if (tree.decay !== undefined && !(typeof tree.decay === "number" && tree.decay > 0 && tree.decay <= 1))
    throw optionError("search.tree.decay", tree.decay, "a number in (0, 1]");
}

/** @throws ERR_OPTION */
export function checkCut(name: string, cut: number | undefined): void {
  if (cut !== undefined && !(typeof cut === "number" && cut >= 0 && cut < 1))
    throw optionError(name, cut, "a number in [0, 1)");
}
