/** How likely each depth is accepted, given that the one before was; learnt, and forgotten round by round. */
export interface Acceptance {
  /** One round that asked for `length` tokens. What was not proposed counts as not accepted. */
  add(length: number, accepted: number): void;
  /** A round without a draft: the past fades all the same. */
  fade(): void;
  /** Leaves the counts no more weight than that many rounds; the long memory of depth 1 stays. */
  forget(rounds: number): void;
  /** out[k] = expected tokens a round of length k commits, the bonus included; [0..kMax]. Valid until the next call. */
  expected(): Float64Array;
}

/** Weight of the past in the long memory of depth 1, and the rounds that the given prior stands for in it. */
const LONG_MEMORY = 0.995;
const PRIOR_ROUNDS = 2;

/** @param keep weight of the past per round; @param prior acceptance assumed of depth 1 before anything is known */
export function createAcceptance(kMax: number, keep: number, prior: number): Acceptance {
  const reached = new Float64Array(kMax + 1);
  const accepts = new Float64Array(kMax + 1);
  const committed = new Float64Array(kMax + 1);
  // Depth 1 over a long time: what the estimates fall back on once the counts have faded.
  let rounds = PRIOR_ROUNDS;
  let hits = prior * PRIOR_ROUNDS;
  const fade = () => {
    for (let d = 1; d <= kMax; d++) {
      reached[d] *= keep;
      accepts[d] *= keep;
    }
  };
  return {
    add(length, accepted) {
      fade();
      rounds = rounds * LONG_MEMORY + 1;
      hits = hits * LONG_MEMORY + (accepted > 0 ? 1 : 0);
      const asked = Math.min(length, kMax);
      for (let d = 1; d <= asked && accepted >= d - 1; d++) {
        reached[d]++;
        if (accepted >= d) accepts[d]++;
      }
    },
    fade,
    forget(rounds) {
      const scale = rounds / Math.max(reached[1], rounds);
      for (let d = 1; d <= kMax; d++) {
        reached[d] *= scale;
        accepts[d] *= scale;
      }
    },
    expected() {
      committed[0] = 1;
      let rate = hits / rounds;
      let survival = 1;
      for (let d = 1; d <= kMax; d++) {
        // A depth that was seldom reached takes after the one before it, so deeper drafts get tried again now and then.
        rate = (accepts[d] + rate) / (reached[d] + 1);
        survival *= rate;
        committed[d] = committed[d - 1] + survival;
      }
      return committed;
    },
  };
}
