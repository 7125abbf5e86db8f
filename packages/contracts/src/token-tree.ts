import { DiffuSpecError } from "./errors.ts";

/**
 * Draft tokens under the last committed token, parents before children. A chain is the tree whose parent i is i - 1.
 * Node 0 is the root: the last committed token, whose row the target has not computed yet.
 */
export interface TokenTree {
  /** Token id of every node, [nodes]. */
  readonly tokens: Int32Array;
  /** Parent of every node, [nodes]; parents[0] is -1 and parents[i] < i. */
  readonly parents: Int32Array;
}

/** No pass ever verifies more nodes than this, root included. */
export const MAX_TREE_NODES = 1024;

/** The tree of one path under `root`. */
export function chain(root: number, path: ArrayLike<number>): TokenTree {
  const tokens = new Int32Array(path.length + 1);
  const parents = new Int32Array(path.length + 1);
  tokens[0] = root;
  parents[0] = -1;
  for (let i = 0; i < path.length; i++) {
    tokens[i + 1] = path[i]!;
    parents[i + 1] = i;
  }
  return { tokens, parents };
}

/** Depth of every node, root 0; a node's position is the root's position plus its depth. */
export function depths(tree: TokenTree): Int32Array {
  const out = new Int32Array(tree.parents.length);
  for (let i = 1; i < out.length; i++) out[i] = out[tree.parents[i]!]! + 1;
  return out;
}

/** The first child of `node` that holds `token`, or -1. */
export function childWithToken(tree: TokenTree, node: number, token: number): number {
  for (let i = node + 1; i < tree.tokens.length; i++)
    if (tree.parents[i] === node && tree.tokens[i] === token) return i;
  return -1;
}

/** Length of the leading trunk: the number of nodes from the root on whose parent is the node before. */
export function trunkLength(tree: TokenTree): number {
  let length = 1;
  while (length < tree.parents.length && tree.parents[length] === length - 1) length++;
  return length;
}

/** The same tree with the path of first children in front, so that the trunk is as long as that path. */
export function trunkFirst(tree: TokenTree): TokenTree {
  const count = tree.tokens.length;
  const firstChild = new Int32Array(count).fill(-1);
  for (let i = count - 1; i > 0; i--) firstChild[tree.parents[i]!] = i;
  const order: number[] = [];
  const newIndex = new Int32Array(count).fill(-1);
  const place = (node: number) => {
    newIndex[node] = order.length;
    order.push(node);
  };
  for (let node = 0; node !== -1; node = firstChild[node]!) place(node);
  if (order.every((node, i) => node === i)) return tree;
  for (let node = 1; node < count; node++) if (newIndex[node] === -1) place(node);
  return {
    tokens: Int32Array.from(order, (node) => tree.tokens[node]!),
    parents: Int32Array.from(order, (node) => (node === 0 ? -1 : newIndex[tree.parents[node]!]!)),
  };
}

/**
 * Checks everything a foreign drafter could get wrong.
 *
 * @throws ERR_DRAFT_INVALID when the shape, the root, a parent or a token id is wrong, or there are more than `maxNodes` nodes.
 */
export function validateTree(
  tree: TokenTree,
  limits: { root: number; vocabularySize: number; maxNodes: number },
  drafter = "the drafter",
): void {
  const invalid = (why: string, details: Record<string, unknown> = {}) =>
    new DiffuSpecError({
      code: "ERR_DRAFT_INVALID",
      what: `${drafter} proposed an invalid token tree`,
      why,
      next: "Fix the drafter; chain(root, path) of @diffuspec/contracts builds a valid one.",
      details: { drafter, ...details },
    });
  const { tokens, parents } = tree ?? {};
  if (!(tokens instanceof Int32Array) || !(parents instanceof Int32Array))
    throw invalid("tokens and parents must be Int32Arrays");
  if (tokens.length !== parents.length || tokens.length === 0)
    throw invalid(
      `tokens has ${tokens.length} entries and parents ${parents.length}; they must be equal and at least 1`,
    );
  if (tokens.length > limits.maxNodes)
    throw invalid(`it has ${tokens.length} nodes and the round allows ${limits.maxNodes}`, { nodes: tokens.length });
  if (tokens[0] !== limits.root || parents[0] !== -1)
    throw invalid(
      `node 0 must be the last committed token ${limits.root} with parent -1, not ${tokens[0]} with ${parents[0]}`,
      {},
    );
  for (let i = 1; i < tokens.length; i++) {
    if (parents[i]! < 0 || parents[i]! >= i)
      throw invalid(`node ${i} has parent ${parents[i]}, which must be in 0..${i - 1}`, { node: i });
    if (tokens[i]! < 0 || tokens[i]! >= limits.vocabularySize)
      throw invalid(`node ${i} has token id ${tokens[i]}, outside 0..${limits.vocabularySize - 1}`, {
        node: i,
        token: tokens[i],
      });
  }
}
