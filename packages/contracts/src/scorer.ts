/**
 * A left-to-right language model cheap enough to be asked about every candidate: an n-gram, or a small causal LM.
 * A state is plain data, never changed in place: it can be kept, compared, copied and sent to another thread.
 */
export interface CausalScorer<State = unknown> {
  readonly name: string;
  /** The state after these ids. Only as much of the end is read as the model's order needs. */
  begin(context: Int32Array): State | Promise<State>;
  /** The state after one more id. */
  advance(state: State, token: number): State;
  /**
   * out[b * candidates.length + c] = ln p(candidates[c] | states[b]), natural log, the conditional of the new token alone.
   * May be synchronous: a table look-up should not pay for a promise.
   */
  score(states: readonly State[], candidates: Int32Array, out: Float64Array): void | Promise<void>;
  /** Ids that may be the most probable after the state, each once: candidates where a drafter does not think of them. */
  likely?(state: State): readonly number[];
}
