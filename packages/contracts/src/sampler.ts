/**
 * Chooses the next token from a row of logits. A pure function of its arguments and of the options it was made with:
 * all randomness is a function of (seed, position, token id), so drafts cannot change what is sampled.
 */
export interface Sampler {
  /** True where the choice is the argmax of the raw logits: the verifier then need not copy logits out. */
  readonly argmaxOnly: boolean;
  /** 0 for greedy decoding. */
  readonly temperature: number;
  /**
   * @param logits raw row of the target, [vocabularySize]; never written to
   * @param position absolute index of the token being chosen: ids.length
   * @param ids everything before it, accepted draft tokens included; valid during the call only
   */
  token(logits: Float32Array, position: number, ids: Int32Array): number;
  /** The Gumbel noise added to ln p of `token` at `position`; 0 where temperature is 0. */
  noise(position: number, token: number): number;
}
