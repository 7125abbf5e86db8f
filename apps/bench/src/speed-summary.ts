import type { Trial } from "./interleave.ts";
import { isDrafting, type Run } from "./methods.ts";
import type { SuitePrompt } from "./suite.ts";
import { divergences, nonLooping, ratioInterval, round, summarise } from "./summary.ts";

export type SpeedSummary = ReturnType<typeof summariseSpeed>;
export type MethodRow = ReturnType<typeof methodRow>;
export type CategoryRow = ReturnType<typeof categoryRow>;

/** The parts of a round, as shares of decoding. */
export const PARTS = ["draft", "search", "verify", "rest"] as const;
export type Shares = Readonly<Record<(typeof PARTS)[number], number>>;

/** What `speed` says of its trials; speed-ups are over arExact, of decoding, all tokens over all seconds. */
export function summariseSpeed(trials: readonly Trial[], prompts: readonly SuitePrompt[], names: readonly string[]) {
  const drafting = names.filter(isDrafting);
  const differing = divergences(trials, drafting);
  const nearTies = divergences(trials, ["ar"]);
  const asked = [...new Set(trials.map((trial) => trial.prompt))];
  const categories = [...new Set(asked.map((index) => prompts[index]!.category))];
  return {
    prompts: asked.length,
    repeats: trials.length / asked.length,
    tokens: trials.reduce((sum, trial) => sum + trial.runs.arExact!.ids.length, 0),
    nonLooping: nonLooping(trials).length,
    identical: differing.length === 0,
    ...(differing.length > 0 && { differing }),
    ar: { ...plainRow(trials, "ar"), differsFromExact: nearTies.length, firstDivergence: nearTies[0] ?? null },
    arExact: plainRow(trials, "arExact"),
    methods: drafting.map((name) => methodRow(name, trials)),
    categories: categories.map((category) =>
      categoryRow(
        category,
        trials.filter((trial) => prompts[trial.prompt]!.category === category),
        drafting,
      ),
    ),
  };
}

function plainRow(trials: readonly Trial[], name: string) {
  const { tokensPerSecond, endToEndTokensPerSecond } = summarise(trials, name);
  return { tokensPerSecond, endToEndTokensPerSecond, ...firstToken(trials, name) };
}

export function methodRow(name: string, trials: readonly Trial[]) {
  const quiet = nonLooping(trials);
  const { tokensPerSecond, endToEndTokensPerSecond, meanAcceptedTokens, ...times } = summarise(trials, name);
  const { draftMs, searchMs, verifyMs, decodeMs } = times;
  const shares = { draft: draftMs / decodeMs, search: searchMs / decodeMs, verify: verifyMs / decodeMs };
  const rest = Math.max(0, 1 - shares.draft - shares.search - shares.verify);
  const runs = trials.map((trial) => trial.runs[name]!);
  return {
    name,
    tokensPerSecond,
    endToEndTokensPerSecond,
    speedup: speedup(trials, name)!,
    speedupInterval: ratioInterval(trials, name, "arExact"),
    nonLoopingSpeedup: speedup(quiet, name),
    nonLoopingSpeedupInterval: quiet.length > 0 ? ratioInterval(quiet, name, "arExact") : null,
    /** Committed tokens over verification rounds, of all trials together. */
    meanAcceptedTokens,
    nonLoopingMeanAcceptedTokens: quiet.length > 0 ? summarise(quiet, name).meanAcceptedTokens : null,
    /** The mean over trials of the same. */
    meanAcceptedTokensMacro: round(mean(runs.map(({ ids, rounds }) => ids.length / Math.max(1, rounds)))),
    shares: rounded({ ...shares, rest }),
    ...firstToken(trials, name),
    rounds: runs.reduce((sum, run) => sum + run.rounds, 0),
    decodeMs,
    /** Rounds by the draft length that was asked for. */
    lengths: histogram(runs.flatMap((run) => run.lengths)),
  };
}

function categoryRow(category: string, trials: readonly Trial[], names: readonly string[]) {
  return {
    category,
    prompts: new Set(trials.map((trial) => trial.prompt)).size,
    nonLooping: nonLooping(trials).length,
    arExact: { tokensPerSecond: summarise(trials, "arExact").tokensPerSecond },
    methods: names.map((name) => ({
      name,
      speedup: speedup(trials, name)!,
      nonLoopingSpeedup: speedup(nonLooping(trials), name),
      meanAcceptedTokens: summarise(trials, name).meanAcceptedTokens,
    })),
  };
}

/** Null without trials. */
export function speedup(trials: readonly Trial[], name: string): number | null {
  if (trials.length === 0) return null;
  return round(summarise(trials, name).tokensPerSecond / summarise(trials, "arExact").tokensPerSecond);
}

/** Milliseconds from prompt to first tokens, median. */
function firstToken(trials: readonly Trial[], name: string) {
  const sorted = trials.map((trial) => (trial.runs[name] as Run).firstTokenMs).sort((a, b) => a - b);
  return { firstTokenMs: round(sorted[sorted.length >> 1]!) };
}

function histogram(values: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const rounded = (shares: Shares): Shares => {
  const { draft, search, verify, rest } = shares;
  return { draft: round(draft), search: round(search), verify: round(verify), rest: round(rest) };
};
