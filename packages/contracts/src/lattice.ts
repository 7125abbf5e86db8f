/**
 * Candidate tokens per drafted position (Eq. 7), in two flat arrays so that a round allocates nothing.
 * Position i (0-based, the token at depth i + 1) owns the candidates offsets[i] .. offsets[i + 1] - 1, best first.
 */
export interface Lattice {
  /** Number of positions. */
  readonly depth: number;
  /** [depth + 1]; longer where the arrays are reused. */
  readonly offsets: Int32Array;
  /** Candidate ids. */
  readonly tokens: Int32Array;
  /** ln q(token | position): natural log, under the drafter's full softmax. */
  readonly logProbs: Float32Array;
  /** Tokens before the first EOS of the raw argmax draft (L_gen of Eq. 9); depth where there is none. */
  readonly generatedLength: number;
}
