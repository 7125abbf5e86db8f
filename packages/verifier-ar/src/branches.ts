import { UNSEEN } from "@diffuspec/onnx-decoder";

/**
 * Paths behind a text, as a tree without its text: node i has the i-th row behind the text's rows. A node whose answer is asked
 * for a second time gets another row, as only keys and values are kept; the first then has no children any more.
 */
export interface Branches {
  readonly count: number;
  /** By node: its id, its parent (-1: the text), ids before it and behind the text. */
  readonly tokens: readonly number[];
  readonly parents: readonly number[];
  readonly depths: readonly number[];
  /** The node at the end of these ids, a new one where it is not among the nodes from `fresh` on; what lacks on the way is added. */
  ask(ids: readonly number[], fresh: number): number;
  clear(): void;
}

export function createBranches(): Branches {
  const tokens: number[] = [];
  const parents: number[] = [];
  const depths: number[] = [];
  const children = new Map<string, number>();
  return {
    tokens,
    parents,
    depths,
    get count() {
      return tokens.length;
    },
    ask(ids, fresh) {
      let node = -1;
      for (const [depth, id] of ids.entries()) {
        const key = `${node} ${id}`;
        const known = children.get(key);
        if (known !== undefined && (known >= fresh || depth < ids.length - 1)) {
          node = known;
          continue;
        }
        parents.push(node);
        depths.push(depth);
        node = tokens.push(id) - 1;
        children.set(key, node);
      }
      return node;
    },
    clear() {
      tokens.length = parents.length = depths.length = 0;
      children.clear();
    },
  };
}

/**
 * Attention bias of the last `count` rows of a text and the branches behind it, [count, past + count]: a row of the text sees
 * the text up to itself, a branch's row all of the text and its own path.
 */
export function branchBias(
  { parents }: Pick<Branches, "parents">,
  { text, past, count }: { readonly text: number; readonly past: number; readonly count: number },
): Float32Array {
  const total = past + count;
  const out = new Float32Array(count * total).fill(UNSEEN);
  for (let i = 0; i < count; i++) {
    const row = past + i;
    out.fill(0, i * total, i * total + Math.min(text, row + 1));
    for (let node = row - text; node >= 0; node = parents[node]!) out[i * total + text + node] = 0;
  }
  return out;
}
