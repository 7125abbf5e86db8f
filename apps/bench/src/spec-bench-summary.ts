import { LOOP_SHARE } from "./loops.ts";
import { TASKS, type Task } from "./spec-bench-data.ts";
import { isDrafting, type MethodName } from "./spec-bench-names.ts";
import { type PeerRow, peerRows } from "./spec-bench-peers.ts";
import type { Kept, QuestionRecord, TurnRecord } from "./spec-bench-run.ts";
import { round } from "./summary.ts";

/** One method on one task. Rates are all tokens over all seconds; speed-ups are over arExact, in the same run. */
export interface MethodRow {
  readonly name: MethodName;
  /** Decoding alone, as `speedup`. */
  readonly tokensPerSecond: number;
  readonly speedup: number;
  /** Prefill included. */
  readonly endToEndSpeedup: number;
  /** Committed tokens per verification round, over all rounds of the task; arExact has 1. */
  readonly meanAcceptedTokens: number;
  /** `speedup` over the answers that do not loop; null where all do. */
  readonly nonLoopingSpeedup: number | null;
  /** As Spec-Bench prints it: the mean over questions of end-to-end tokens a second, over the same of arExact. */
  readonly specBenchSpeedup: number;
  readonly identical: boolean;
  /** Sums over the task, in milliseconds; what decodeMs has beside the three parts is the loop's own. */
  readonly rounds: number;
  readonly draftMs: number;
  readonly searchMs: number;
  readonly verifyMs: number;
  readonly decodeMs: number;
  readonly prefillMs: number;
}

export interface Difference {
  readonly method: MethodName;
  readonly question: number;
  readonly turn: number;
  readonly at: number;
}

export type TaskSummary = ReturnType<typeof summariseTask>;
export type SpecBenchSummary = ReturnType<typeof summarise>;

/** The figures of a run, complete or not. `main` is the method that `mean` speaks of. */
export function summarise(records: readonly QuestionRecord[], names: readonly MethodName[], main: MethodName) {
  const tasks = TASKS.filter((task) => records.some((record) => record.task === task)).map((task) =>
    summariseTask(task, records, names),
  );
  const means = names.filter(isDrafting).map((name) => ({ name, ...meanOf(tasks, name) }));
  const { name: _, ...mean } = means.find(({ name }) => name === main) ?? { name: main, ...meanOf([], main) };
  return { identical: tasks.every((task) => task.identical), tasks, mean, means };
}

function summariseTask(task: Task, records: readonly QuestionRecord[], names: readonly MethodName[]) {
  const own = records.filter((record) => record.task === task);
  const asked = own.filter((record) => record.turns.length > 0);
  const turns = asked.flatMap((record) => record.turns);
  const quiet = turns.filter((turn) => turn.repeatedShare < LOOP_SHARE);
  const differing = own.flatMap(({ question, turns: all }) =>
    all.flatMap((turn) => differences(turn, names).map((found) => ({ ...found, question, turn: turn.turn }))),
  );
  const differsFromOneRow = turns.filter((turn) => (turn.runs.ar?.differsAt ?? -1) !== -1).length;
  const methods = names
    .filter(isDrafting)
    .map((name) => methodRow(name, asked, turns, quiet, !differing.some(({ method }) => method === name)));
  return {
    task,
    questions: asked.length,
    turns: turns.length,
    /** What did not fit the context: whole questions, and later turns of others. */
    skipped: { questions: own.length - asked.length, turns: own.reduce((sum, record) => sum + record.skippedTurns, 0) },
    nonLooping: quiet.length,
    identical: differing.length === 0,
    ...(differing.length > 0 && { differing }),
    ar: { tokensPerSecond: round(rate(sums(turns, "ar"))), differsFromExact: differsFromOneRow },
    arExact: { tokensPerSecond: round(rate(sums(turns, "arExact"))), ...costs(sums(turns, "arExact")) },
    methods: [...methods, ...peerRows(turns)] as readonly (MethodRow | PeerRow)[],
  };
}

/** The rows of our own methods. */
export const ownRows = ({ methods }: { readonly methods: readonly (MethodRow | PeerRow)[] }): MethodRow[] =>
  methods.filter((row): row is MethodRow => !("peer" in row));

function methodRow(
  name: MethodName,
  asked: readonly QuestionRecord[],
  turns: readonly TurnRecord[],
  quiet: readonly TurnRecord[],
  identical: boolean,
): MethodRow {
  const [own, exact] = [sums(turns, name), sums(turns, "arExact")];
  const perQuestion = (method: MethodName) => mean(asked.map((record) => wholeRate(sums(record.turns, method))));
  return {
    name,
    tokensPerSecond: round(rate(own)),
    speedup: round(rate(own) / rate(exact)),
    endToEndSpeedup: round(wholeRate(own) / wholeRate(exact)),
    meanAcceptedTokens: round(own.tokens / own.rounds),
    nonLoopingSpeedup: quiet.length > 0 ? round(rate(sums(quiet, name)) / rate(sums(quiet, "arExact"))) : null,
    specBenchSpeedup: round(perQuestion(name) / perQuestion("arExact")),
    identical,
    ...costs(own),
  };
}

function differences(turn: TurnRecord, names: readonly MethodName[]): { method: MethodName; at: number }[] {
  return names.filter(isDrafting).flatMap((method) => {
    const at = turn.runs[method]?.differsAt ?? -1;
    return at === -1 ? [] : [{ method, at }];
  });
}

const SUMMED = ["tokens", "rounds", "prefillMs", "draftMs", "searchMs", "verifyMs", "decodeMs"] as const;
type Sums = Readonly<Record<(typeof SUMMED)[number] | "answers", number>>;

function sums(turns: readonly TurnRecord[], name: MethodName): Sums {
  const runs = turns.flatMap((turn) => turn.runs[name] ?? []);
  const total = (key: (typeof SUMMED)[number]) => runs.reduce((sum, run: Kept) => sum + run[key], 0);
  return { ...Object.fromEntries(SUMMED.map((key) => [key, total(key)])), answers: runs.length } as unknown as Sums;
}

function costs({ rounds, draftMs, searchMs, verifyMs, decodeMs, prefillMs }: Sums) {
  const ms = { draftMs, searchMs, verifyMs, decodeMs, prefillMs };
  const rounded = Object.fromEntries(Object.entries(ms).map(([key, value]) => [key, round(value)])) as typeof ms;
  return { rounds, ...rounded };
}

/** Of decoding: an answer's first token comes out of the prefill. */
const rate = ({ tokens, answers, decodeMs }: Sums) => (1000 * (tokens - answers)) / decodeMs;
const wholeRate = ({ tokens, decodeMs, prefillMs }: Sums) => (1000 * tokens) / (decodeMs + prefillMs);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Means over the tasks, each weighing the same; null where there is nothing to take the mean of. */
function meanOf(tasks: readonly TaskSummary[], name: MethodName) {
  const rows = tasks.flatMap((task) => ownRows(task).filter((row) => row.name === name && row.rounds > 0));
  const over = (of: (row: MethodRow) => number | null) => {
    const values = rows.map(of).filter((value) => value !== null);
    return values.length > 0 ? round(mean(values)) : null;
  };
  return {
    speedup: over((row) => row.speedup),
    endToEndSpeedup: over((row) => row.endToEndSpeedup),
    meanAcceptedTokens: over((row) => row.meanAcceptedTokens),
    nonLoopingSpeedup: over((row) => row.nonLoopingSpeedup),
    specBenchSpeedup: over((row) => row.specBenchSpeedup),
  };
}
