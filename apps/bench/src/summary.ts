import type { Trial } from "./interleave.ts";
import { LOOP_SHARE } from "./loops.ts";
import type { Run } from "./methods.ts";

/** One method over a set of trials. Rates are ratios of sums: all tokens over all seconds. */
export interface MethodSummary {
  /** Decoding alone: ids behind the first one of each completion, which comes out of the prefill. */
  readonly tokensPerSecond: number;
  /** Prefill included. */
  readonly endToEndTokensPerSecond: number;
  /** Committed tokens per verification round (micro-average), as Spec-Bench counts it. */
  readonly meanAcceptedTokens: number;
  readonly draftMs: number;
  readonly searchMs: number;
  readonly verifyMs: number;
  readonly decodeMs: number;
}

export function summarise(trials: readonly Trial[], name: string): MethodSummary {
  const runs = trials.map((trial) => trial.runs[name]!);
  const sum = (of: (run: Run) => number) => runs.reduce((total, run) => total + of(run), 0);
  const tokens = sum((run) => run.ids.length);
  const decodeMs = sum((run) => run.decodeMs);
  const total = (key: "draftMs" | "searchMs" | "verifyMs") => round(sum((run) => run[key]));
  return {
    tokensPerSecond: round((1000 * (tokens - runs.length)) / decodeMs),
    endToEndTokensPerSecond: round((1000 * tokens) / (decodeMs + sum((run) => run.prefillMs))),
    meanAcceptedTokens: round(
      tokens /
        Math.max(
          1,
          sum((run) => run.rounds),
        ),
    ),
    draftMs: total("draftMs"),
    searchMs: total("searchMs"),
    verifyMs: total("verifyMs"),
    decodeMs: round(decodeMs),
  };
}

/** A completion that differs from arExact's: in an id, or in length. */
export interface Divergence {
  readonly method: string;
  readonly prompt: number;
  /** Index of the first differing id; the shorter length where one is a prefix of the other. */
  readonly at: number;
}

/** Every drafting method against arExact; `ar` (one row a pass) may differ in near ties and is listed apart. */
export function divergences(trials: readonly Trial[], names: readonly string[]): Divergence[] {
  return trials.flatMap((trial) =>
    names.flatMap((method) => {
      const at = firstDifference(trial.runs.arExact!.ids, trial.runs[method]!.ids);
      return at === -1 ? [] : [{ method, prompt: trial.prompt, at }];
    }),
  );
}

/** -1 where the two are equal in length and ids. */
export function firstDifference(a: Int32Array, b: Int32Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : length;
}

export const nonLooping = (trials: readonly Trial[]): Trial[] => trials.filter((t) => t.repeatedShare < LOOP_SHARE);

/** The middle 95 % of ratios of resampled sums (bootstrap over trials, fixed seed). */
export function ratioInterval(trials: readonly Trial[], above: string, below: string): [number, number] {
  if (trials.length === 0) return [0, 0];
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const ratios = Array.from({ length: 1000 }, () => {
    const drawn = trials.map(() => trials[Math.floor(next() * trials.length)]!);
    return summarise(drawn, above).tokensPerSecond / summarise(drawn, below).tokensPerSecond;
  }).sort((a, b) => a - b);
  return [round(ratios[25]!), round(ratios[974]!)];
}

export const round = (value: number): number => Math.round(value * 1000) / 1000;
