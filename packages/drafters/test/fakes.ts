import type { DraftRequest, Outcome, Rows, Sampler, TokenTree } from "@diffuspec/contracts";

export const greedy: Sampler = {
  argmaxOnly: true,
  temperature: 0,
  token: () => {
    throw new Error("no drafter here samples");
  },
  noise: () => 0,
};

export const request = (fields: { [K in keyof DraftRequest]?: DraftRequest[K] } = {}): DraftRequest => ({
  length: 16,
  nodes: 64,
  head: new Int32Array(0),
  signal: new AbortController().signal,
  ...fields,
});

/** An outcome whose rows know nothing but their best ids. */
export function outcome(tree: TokenTree, top: readonly number[][], committed: readonly number[]): Outcome {
  const refuse = () => {
    throw new Error("not asked for");
  };
  const rows: Rows = {
    count: tree.tokens.length,
    exact: tree.tokens.length,
    argmax: (row) => top[row]![0]!,
    top: (row) => Int32Array.from(top[row]!),
    logits: refuse,
    tap: refuse,
  };
  return { tree, rows, path: Int32Array.of(0), committed: Int32Array.from(committed) };
}

/** The paths from the root to every node, root left out, as text. */
export function paths(tree: TokenTree): string[] {
  const out: string[] = [""];
  for (let i = 1; i < tree.tokens.length; i++) out.push(`${out[tree.parents[i]!]} ${tree.tokens[i]}`.trim());
  return out.slice(1);
}
