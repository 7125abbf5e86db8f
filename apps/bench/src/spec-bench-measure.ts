import type { Circumstances } from "./circumstances.ts";
import { openLog } from "./run-log.ts";
import { chooseQuestions, type Question, type Questions } from "./spec-bench-data.ts";
import type { Field } from "./spec-bench-methods.ts";
import { LABELS, type MethodName } from "./spec-bench-names.ts";
import { peerMeans } from "./spec-bench-peers.ts";
import { type QuestionRecord, runQuestion, warmUp } from "./spec-bench-run.ts";
import { summarise } from "./spec-bench-summary.ts";

export interface MeasureOptions {
  /** As the result calls it. */
  readonly pair: string;
  readonly data: Questions;
  readonly perTask: number;
  readonly maxTokens: number;
  readonly draftLength: number;
  readonly log?: string | undefined;
  readonly sitting: Circumstances;
  readonly progress?: (line: string) => void;
}

export interface SpecBench {
  readonly result: SpecBenchResult;
  readonly sittings: readonly Circumstances[];
  readonly records: readonly QuestionRecord[];
}

export type SpecBenchResult = Awaited<ReturnType<typeof measure>>["result"];

/** The method that `mean` speaks of: what the facade drafts with by default. */
const MAIN: MethodName = "diffuspec";

/** Runs what the log does not have yet. @throws an Error where the log is that of another run */
export async function measure(field: Field, options: MeasureOptions) {
  const { pair, data, perTask, maxTokens, draftLength, progress = () => {} } = options;
  const questions = chooseQuestions(data.questions, perTask);
  const names = field.contenders.map(({ name }) => name);
  const { model, fingerprint, precision, threads } = field;
  const settings = {
    pair,
    fingerprint,
    dataSha256: data.sha256,
    questions: questions.map(({ id }) => id),
    maxTokens,
    methods: names,
    draftLength,
    precision,
    threads,
    ...(field.peers && { peers: field.peers.peers.map(({ name, version }) => `${name} ${version}`) }),
  };
  const log = openLog<QuestionRecord>({
    file: options.log,
    settings,
    sitting: options.sitting,
    total: questions.length,
  });
  const known = new Set(log.records.map((record) => record.question));
  const rest = questions.filter((question) => !known.has(question.id));
  if (rest.length > 0) {
    progress("warming up");
    await warmUp(field, questions, maxTokens);
  }
  const clock = createClock(rest.length);
  for (const question of rest) {
    const at = questions.indexOf(question);
    const watch = (asked: Question, turn: number, name: string) =>
      progress(
        `${at + 1}/${questions.length} ${asked.task} ${asked.id}, turn ${turn + 1}, ${LABELS[name as MethodName] ?? name}${clock.left()}`,
      );
    log.add(await runQuestion(field, question, { maxTokens, rotation: at, watch }));
    clock.tick();
  }
  const order = new Map(questions.map(({ id }, index) => [id, index]));
  const records = [...log.records].sort((a, b) => order.get(a.question)! - order.get(b.question)!);
  const summary = summarise(records, names, MAIN);
  return {
    result: {
      pair,
      ...summary,
      model,
      questions: questions.length,
      maxTokens,
      draftLength,
      precision,
      threads,
      arPrecision: field.arPrecision,
      missing: field.missing,
      ...(field.peers && {
        peers: peerMeans(field.peers.peers, summary.tasks),
        missingPeers: field.peers.missing,
      }),
    },
    sittings: log.sittings,
    records,
  };
}

/** How long the rest may take, from what the questions of this sitting took. */
function createClock(total: number) {
  const begun = Date.now();
  let done = 0;
  return {
    tick: () => void done++,
    left() {
      if (done === 0) return "";
      return `; about ${Math.ceil((((Date.now() - begun) / done) * (total - done)) / 60_000)} min left`;
    },
  };
}
