/** What a row must not see gets this, so that its weight after the softmax is exactly 0. */
export const UNSEEN = -1e30;

/** Attention bias of a chain: every row sees the cache and the rows up to itself. [count, past + count] */
export function causalBias(count: number, past: number): Float32Array {
  const total = past + count;
  const out = new Float32Array(count * total);
  for (let i = 0; i < count; i++) out.fill(UNSEEN, i * total + past + i + 1, (i + 1) * total);
  return out;
}

/**
 * Attention bias of a tree: every row sees the cache, its ancestors and itself. [nodes, past + nodes]
 *
 * @param parents parent of every node, parents before children, -1 for the root
 */
export function treeBias(parents: Int32Array, past: number): Float32Array {
  const count = parents.length;
  const total = past + count;
  const out = new Float32Array(count * total);
  for (let i = 0; i < count; i++) {
    out.fill(UNSEEN, i * total + past, (i + 1) * total);
    for (let node = i; node !== -1; node = parents[node]!) out[i * total + past + node] = 0;
  }
  return out;
}
