import { type TokenTree, trunkFirst, trunkLength } from "@diffuspec/contracts";

/**
 * The tree of a draft with `head` (what the target chose tentatively last round) in front: both are merged into one trie,
 * head first, so that it becomes the trunk and its tokens can be proven. Equal siblings are merged on the way. Nodes beyond
 * `maxNodes` (root counted) are left out, last ones first.
 */
export function graft(head: ArrayLike<number>, tree: TokenTree, maxNodes: number): TokenTree {
  const tokens = [tree.tokens[0]!];
  const parents = [-1];
  const known = new Map<number, number>();
  const add = (parent: number, token: number): number => {
    if (parent === -1) return -1;
    const key = parent * 2 ** 32 + token;
    const node = known.get(key) ?? (tokens.length < maxNodes ? tokens.length : -1);
    if (node === tokens.length) {
      known.set(key, node);
      tokens.push(token);
      parents.push(parent);
    }
    return node;
  };
  for (let i = 0, node = 0; i < head.length; i++) node = add(node, head[i]!);
  const place = new Int32Array(tree.tokens.length);
  for (let i = 1; i < place.length; i++) place[i] = add(place[tree.parents[i]!]!, tree.tokens[i]!);
  return trunkFirst({ tokens: Int32Array.from(tokens), parents: Int32Array.from(parents) });
}

/** The leading trunk alone: what is left of a tree for a target that verifies chains only. */
export function trunkOf(tree: TokenTree): TokenTree {
  const length = trunkLength(tree);
  if (length === tree.tokens.length) return tree;
  return { tokens: tree.tokens.slice(0, length), parents: tree.parents.slice(0, length) };
}
