import { boundTable } from "./benchmarks-bound.ts";
import type { Circumstances } from "./circumstances.ts";
import { measuredAt, NONE, one, table, times, two } from "./markdown.ts";
import { type PeerColumns, peerTables } from "./peers-markdown.ts";
import type { SpecBenchResult } from "./spec-bench-measure.ts";

import { LABELS, type MethodName } from "./spec-bench-names.ts";
import type { PeerRow } from "./spec-bench-peers.ts";
import { type MethodRow, ownRows, type TaskSummary } from "./spec-bench-summary.ts";

/** As the tables head their columns. */
const TASK_LABELS: Readonly<Record<TaskSummary["task"], string>> = {
  mt: "MT",
  translation: "Trans",
  summarization: "Sum",
  qa: "QA",
  math_reasoning: "Math",
  rag: "RAG",
};

export const taskLabels = (result: SpecBenchResult) => result.tasks.map(({ task }) => TASK_LABELS[task]);

/** A figure of one method by task; null where the task was not measured. */
export const byTask = (result: SpecBenchResult, name: MethodName, of: (row: MethodRow) => number | null) =>
  result.tasks.map((task) => {
    const row = ownRows(task).find((method) => method.name === name);
    const value = row && row.rounds > 0 ? of(row) : null;
    return value !== null && Number.isFinite(value) ? value : null;
  });

/** The tables of a result, in Markdown that also reads well in a terminal. */
export function resultTables(result: SpecBenchResult): string {
  const tasks = taskLabels(result);
  const { means, pair, maxTokens, precision, threads, draftLength } = result;
  const oneRow = result.tasks.map(({ ar, arExact }) => ratio(ar.tokensPerSecond, arExact.tokensPerSecond));
  const speed = table(
    ["speed-up", ...tasks, "mean", "end to end", "not looping", "as Spec-Bench"],
    [
      [LABELS.ar, ...oneRow.map(times), times(meanOf(oneRow)), NONE, NONE, NONE],
      ...means.map((mean) => [
        LABELS[mean.name],
        ...byTask(result, mean.name, (row) => row.speedup).map(times),
        ...[mean.speedup, mean.endToEndSpeedup, mean.nonLoopingSpeedup, mean.specBenchSpeedup].map(times),
      ]),
    ],
  );
  const accepted = table(
    ["tokens a round", ...tasks, "mean"],
    means.map((mean) => [
      LABELS[mean.name],
      ...[...byTask(result, mean.name, (row) => row.meanAcceptedTokens), mean.meanAcceptedTokens].map(two),
    ]),
  );
  const column = (of: (task: TaskSummary) => string) => result.tasks.map(of);
  const base = table(
    ["", ...tasks],
    [
      ["questions", ...column((task) => String(task.questions))],
      ["answers", ...column((task) => String(task.turns))],
      ["of them not looping", ...column((task) => String(task.nonLooping))],
      [
        "skipped: too long (questions, later turns)",
        ...column(({ skipped: { questions, turns } }) => `${questions}, ${turns}`),
      ],
      [`${LABELS.arExact}, tokens/s`, ...column((task) => one(task.arExact.tokensPerSecond))],
      [`${LABELS.ar}, tokens/s`, ...column((task) => one(task.ar.tokensPerSecond))],
      [`${LABELS.ar}, answers that differ`, ...column((task) => String(task.ar.differsFromExact))],
    ],
  );
  return [
    `${pair}, ${precision}, ${threads} ${threads === 1 ? "thread" : "threads"}, answers of at most ${maxTokens} tokens, greedy; drafts of ${draftLength} tokens where the length is not controlled.`,
    verdict(result),
    ...result.missing.map(({ name, why }) => `Not run: ${LABELS[name]} (${why}).`),
    ...losses(result),
    "",
    speed,
    "",
    accepted,
    "",
    base,
    "",
    ...peerTables(result, byTaskOfPeers(result)),
  ].join("\n");
}

/** The other programs, task by task. */
function byTaskOfPeers({ tasks }: SpecBenchResult): PeerColumns {
  const cell = ({ methods }: TaskSummary, name: string) => {
    const row = methods.find((method): method is PeerRow => "peer" in method && method.name === name);
    return one(row?.tokensPerSecond ?? Number.NaN);
  };
  return {
    header: tasks.map(({ task }) => TASK_LABELS[task]),
    cells: (name) => tasks.map((task) => cell(task, name)),
    all: "mean",
  };
}

function verdict({ identical, tasks }: SpecBenchResult): string {
  if (identical) return "Every answer of every drafting method equals plain AR's (exact), token for token.";
  const all = tasks.flatMap((task) => task.differing ?? []);
  const some = all
    .slice(0, 5)
    .map(({ method, question, turn, at }) => `${LABELS[method]}, question ${question}, turn ${turn + 1}, token ${at}`);
  return `NOT IDENTICAL in ${all.length} answers: ${some.join("; ")}${all.length > some.length ? "; ..." : ""}.`;
}

/** What DiffuSpec loses, in words: slower than plain AR, or than another drafter that is not a part of it. */
function losses(result: SpecBenchResult): string[] {
  const own = byTask(result, "diffuspec", (row) => row.speedup);
  const tasks = taskLabels(result);
  const worse = (other: readonly (number | null)[]) =>
    tasks.filter((_, i) => own[i] != null && other[i] != null && own[i]! < other[i]!);
  const rivals = result.means.filter(({ name }) => ["promptLookup", "ngram", "dlmArgmax"].includes(name));
  const lines = [
    { than: "plain AR, exact", where: worse(own.map(() => 1)) },
    ...rivals.map(({ name }) => ({ than: LABELS[name], where: worse(byTask(result, name, (row) => row.speedup)) })),
  ];
  return lines.flatMap(({ than, where }) =>
    where.length > 0 ? [`DiffuSpec is slower than ${than} on ${where.join(", ")}.`] : [],
  );
}

/** Milliseconds of a round by part, over all tasks. */
export function roundAnatomy(
  result: SpecBenchResult,
): { name: MethodName; parts: readonly number[]; rounds: number }[] {
  const names: MethodName[] = ["arExact", ...result.means.map(({ name }) => name)];
  return names.flatMap((name) => {
    const rows = result.tasks.flatMap((task) =>
      name === "arExact" ? [task.arExact] : ownRows(task).filter((row) => row.name === name),
    );
    const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0);
    const rounds = sum((row) => row.rounds);
    if (rounds === 0) return [];
    const [draft, search, verify] = [sum((row) => row.draftMs), sum((row) => row.searchMs), sum((row) => row.verifyMs)];
    const rest = Math.max(0, sum((row) => row.decodeMs) - draft - search - verify);
    return [{ name, rounds, parts: [draft, search, verify, rest].map((ms) => ms / rounds) }];
  });
}

export const PARTS = ["draft", "search", "verify", "rest"] as const;

/** The section of docs/benchmarks.md: where it was measured, plots, tables. */
export function section(
  result: SpecBenchResult,
  sittings: readonly Circumstances[],
  images: { readonly speedup: string; readonly round: string },
): string {
  const anatomy = table(
    ["ms a round", ...PARTS, "all"],
    roundAnatomy(result).map(({ name, parts }) => [
      LABELS[name],
      ...parts.map(two),
      two(parts.reduce((sum, part) => sum + part, 0)),
    ]),
  );
  return [
    `## Spec-Bench: ${result.pair}`,
    "",
    `${measuredAt(sittings)} Speed-ups are of decoding, over plain AR (exact) in the same run; means weigh the tasks alike.`,
    "",
    `![Speed-up by task](${images.speedup})`,
    "",
    resultTables(result),
    `![Time of a round](${images.round})`,
    "",
    anatomy,
    "",
    "What bounds it: the speed-up if drafting cost nothing, and if the rows behind the first did not either, which is the tokens of a round.",
    "",
    boundTable(result),
    "",
  ].join("\n");
}

const ratio = (above: number, below: number) => (below > 0 && above > 0 ? above / below : null);

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}
