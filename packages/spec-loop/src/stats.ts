/** One round: a pass of the target, what led to it, and what came of it. Times in milliseconds. */
export interface RoundStats {
  /** Draft length k that was asked for, in tokens, after the limits; 0 where the drafter was skipped. */
  readonly length: number;
  /** Draft nodes verified, the root not counted; a chain's length. */
  readonly drafted: number;
  /** Draft tokens among the committed ones; never counts the bonus. */
  readonly accepted: number;
  /** Tokens committed, after the cut by an end of text or a limit. */
  readonly committed: number;
  /** Rows of the verify pass. */
  readonly rows: number;
  /** The drafter's time (propose and observe) without its search. */
  readonly draftMs: number;
  readonly searchMs: number;
  /** The target's time: verify and commit. */
  readonly verifyMs: number;
}

/** Sums over a generation. The five parts of wallMs add up to it; time the consumer held a round is in none of them. */
export interface Totals {
  /** Committed tokens. */
  readonly tokens: number;
  readonly rounds: number;
  readonly accepted: number;
  /** Draft nodes verified. */
  readonly drafted: number;
  /**
   * Committed tokens per verification round, as Spec-Bench counts it: plain decoding has 1. Rounds without a draft count,
   * prefill does not, tokens cut by an end of text or a limit do not. A first token out of the prefill is a round, which costs
   * nothing. 0 before the first round.
   */
  readonly meanAcceptedTokens: number;
  /** Prompt ids whose cache rows were there from an earlier generation. */
  readonly reused: number;
  /** The target's prefill and the drafter's begin. */
  readonly prefillMs: number;
  readonly draftMs: number;
  readonly searchMs: number;
  readonly verifyMs: number;
  /** Acceptance, sampling, bookkeeping: wallMs less the parts above. */
  readonly otherMs: number;
  readonly wallMs: number;
}

export interface Meter {
  prefilled(work: { reused: number; ms: number }): void;
  add(round: RoundStats): void;
  /** Stops the wall clock while the consumer holds a round. */
  pause(): void;
  resume(): void;
  totals(): Totals;
}

export const now = (): number => performance.now();

/** Adds rounds up; the clock runs from the call on. */
export function createMeter(): Meter {
  const sum = { tokens: 0, rounds: 0, accepted: 0, drafted: 0, reused: 0, prefillMs: 0 };
  const time = { draftMs: 0, searchMs: 0, verifyMs: 0 };
  let since = now();
  let wall = 0;
  let running = true;
  return {
    prefilled({ reused, ms }) {
      sum.reused = reused;
      sum.prefillMs += ms;
    },
    add(round) {
      sum.tokens += round.committed;
      sum.rounds += 1;
      sum.accepted += round.accepted;
      sum.drafted += round.drafted;
      time.draftMs += round.draftMs;
      time.searchMs += round.searchMs;
      time.verifyMs += round.verifyMs;
    },
    pause() {
      wall += now() - since;
      running = false;
    },
    resume() {
      since = now();
      running = true;
    },
    totals() {
      const wallMs = wall + (running ? now() - since : 0);
      const { tokens, rounds, accepted, drafted, reused, prefillMs } = sum;
      const { draftMs, searchMs, verifyMs } = time;
      const otherMs = Math.max(0, wallMs - (prefillMs + draftMs + searchMs + verifyMs));
      const meanAcceptedTokens = rounds === 0 ? 0 : tokens / rounds;
      // Not by spreading, which takes 20 microseconds, and this is made in every round.
      return {
        tokens,
        rounds,
        accepted,
        drafted,
        meanAcceptedTokens,
        reused,
        prefillMs,
        draftMs,
        searchMs,
        verifyMs,
        otherMs,
        wallMs,
      };
    },
  };
}
