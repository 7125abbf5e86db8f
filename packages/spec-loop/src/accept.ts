import { childWithToken, DiffuSpecError, type Rows, type Sampler, type TokenTree } from "@diffuspec/contracts";

export interface Acceptance {
  /** Accepted nodes, root first; each below `rows.exact`. */
  readonly path: Int32Array;
  /** The target's own token after the path: proven by an exact row, whether or not the tree holds it. */
  readonly bonus: number;
  /** What the target chose tentatively after the bonus, on a side branch; the next draft should begin with it. Often empty. */
  readonly head: Int32Array;
}

/**
 * THE acceptance rule, in the only place it lives. Walk down from the root; at each node take the sampler's token y of that
 * node's row. Where a child holds y, move on to it; where none does, y is the bonus and the walk ends.
 *
 * Exact for every proposal: each committed token is what the sampler chooses from a row that is bit-equal to plain
 * decoding's, under the ids plain decoding would have. The proposal decides only how far one pass gets.
 *
 * Rows from `rows.exact` on are tentative (side branches). A child out there is never accepted: its token, still proven by
 * its parent's exact row, becomes the bonus. The walk then goes on tentatively, and what it finds is returned as `head`.
 *
 * @param ids [>= length + depth of the tree]; ids[0..length-1] are committed, ids[length - 1] is the root. Written beyond.
 * @throws ERR_CONTRACT where the sampler or the target names an id outside the vocabulary
 */
export function accept(
  tree: TokenTree,
  rows: Rows,
  sampler: Sampler,
  ids: Int32Array,
  length: number,
  vocabularySize: number,
): Acceptance {
  const path = [0];
  const head: number[] = [];
  let bonus = -1;
  let node = 0;
  for (let end = length; ; end++) {
    const token = sampler.argmaxOnly ? rows.argmax(node) : sampler.token(rows.logits(node), end, ids.subarray(0, end));
    if (!(Number.isInteger(token) && token >= 0 && token < vocabularySize)) throw foreignToken(token, end);
    const child = childWithToken(tree, node, token);
    if (bonus !== -1) head.push(token);
    else if (child !== -1 && child < rows.exact) path.push(child);
    else bonus = token;
    if (child === -1) return { path: Int32Array.from(path), bonus, head: Int32Array.from(head) };
    ids[end] = token;
    node = child;
  }
}

function foreignToken(token: number, position: number): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The target chose token id ${token} at position ${position}`,
    why: "that is no id of its vocabulary; the row holds no finite logit, or the sampler is broken",
    next: "Check the verifier's graph and weights, or the custom sampler.",
    details: { token, position },
  });
}
