import { basename } from "node:path";
import { openModel } from "@diffuspec/model-files";
import type { DecoderShape } from "@diffuspec/onnx-decoder";
import { circumstances } from "./circumstances.ts";
import { interleave } from "./interleave.ts";
import { canRun, type Method, type MethodName, openMethods, type Run } from "./methods.ts";
import { loadPair, type PairOptions } from "./pair.ts";
import { encodeSuite, type Suite } from "./suite.ts";
import { divergences, round } from "./summary.ts";
import { type Pass, watchSessions } from "./watch-sessions.ts";

export interface AnatomyOptions extends PairOptions {
  readonly suite: (chat: boolean) => Suite;
  readonly maxTokens: number;
  readonly progress?: (line: string) => void;
}

export type AnatomyResult = Awaited<ReturnType<typeof measureAnatomy>>;
export type AnatomyRow = ReturnType<typeof anatomyRow>;

/** Milliseconds a round of one model's work, from the inside out. */
export interface Layers {
  /** The passes less their hand-over: the graph's operators, and the runtime's way from one to the next. */
  readonly model: number;
  /** What a pass of the same inputs and outputs without a model takes: copies, and a turn of the event loop. */
  readonly handOver: number;
  /** Around session.run. */
  readonly script: number;
}
export const LAYERS = ["model", "handOver", "script"] as const;

/** A run beside whose passes twins ran, and when it began and ended, by performance.now(). */
export interface WatchedRun extends Run {
  readonly begunAt: number;
  readonly endedAt: number;
}

const METHODS = ["ar", "arExact", "ngram", "everyRound", "diffuspec"] as const satisfies MethodName[];
const watchedName = (name: string) => `${name}, watched`;

/**
 * The same prompts by a pair that is watched and by one that is not, taking turns: in the one a twin without a model runs behind
 * every pass, and its time is the hand-over; the other shows how long all of it takes where nobody looks.
 */
export async function measureAnatomy({ suite: openSuite, maxTokens, progress = () => {}, ...options }: AnatomyOptions) {
  const sitting = circumstances();
  const bare = await loadPair(options);
  const names = METHODS.filter((name) => canRun(name, bare));
  const methods = await openMethods(names, bare);
  const watch = watchSessions();
  const watched = await loadPair(options);
  const watchedMethods = (await openMethods(names, watched)).map(withTimes); // loads the drafters, too
  watch.stop();
  const suite = openSuite(bare.engine.info.chat);
  const prompts = encodeSuite(suite, bare.engine);
  let done = 0;
  const trials = await interleave([...methods, ...watchedMethods], prompts, {
    maxTokens,
    watch: { end: () => progress(`${++done}/${prompts.length}`) },
  });
  const { drafter, target } = (await openModel(bare.engine.info.directory)).manifest as unknown as {
    target: DecoderShape;
    drafter?: { graphs?: object };
  };
  const { layers, kvHeads, headDim } = target;
  const draftGraphs = new Set(Object.values(drafter?.graphs ?? {}).map((file) => basename(String(file))));
  const compared = names.flatMap((name) => (name === "ar" ? [] : [name, watchedName(name)]));
  const result = {
    pair: bare.name,
    suite: suite.name,
    prompts: prompts.length,
    identical: divergences(trials, compared).length === 0,
    methods: names.map((name) =>
      anatomyRow(
        name,
        trials.map(({ runs }) => runs[name]!),
        trials.map(({ runs }) => runs[watchedName(name)] as WatchedRun),
        watch.passes,
        draftGraphs,
      ),
    ),
    /** Keys and values of one id: what a row copies, and what attention copies for every id of the context. */
    bytesPerId: 2 * layers * kvHeads * headDim * Float32Array.BYTES_PER_ELEMENT,
    maxTokens,
    sampling: bare.sampling,
    precision: bare.engine.info.precision,
    threads: bare.engine.info.threads,
    circumstances: sitting,
  };
  for (const method of [...methods, ...watchedMethods]) await method.dispose();
  await bare.dispose();
  await watched.dispose();
  return result;
}

const withTimes = (method: Method): Method => ({
  ...method,
  name: watchedName(method.name),
  async run(...given): Promise<WatchedRun> {
    const begunAt = performance.now();
    const run = await method.run(...given);
    return { ...run, begunAt, endedAt: performance.now() };
  },
});

/** @param draftGraphs file names of the drafter's graphs; all others are the target's */
export function anatomyRow(
  name: string,
  bare: readonly Run[],
  watched: readonly WatchedRun[],
  passes: readonly Pass[],
  draftGraphs: ReadonlySet<string>,
) {
  const isDraft = ({ graph }: Pass) => draftGraphs.has(graph);
  const byRun = watched.map((run) => decodingOf(run, passes, isDraft));
  const own = byRun.flat();
  const rounds = total(watched, "rounds") - watched.length; // a first token comes out of the prefill
  const perRound = (ms: number) => round(ms / rounds);
  const layers = (of: readonly Pass[], partMs: number) => {
    const [calls, handOver] = [total(of, "callMs"), handOverMs(of)];
    return {
      passes: round(of.length / rounds),
      model: perRound(calls - handOver),
      handOver: perRound(handOver),
      script: perRound(partMs - calls - total(of, "asideMs")),
      /** Bytes that come out of the runtime in a round. */
      outputBytes: Math.round(total(of, "outputBytes") / rounds),
    };
  };
  const drafting = own.filter(isDraft);
  const verifying = own.filter((pass) => !isDraft(pass));
  const notModel = (passes: readonly Pass[], decodeMs: number) => {
    const handOver = handOverMs(passes.filter(isDraft)) + handOverMs(passes.filter((pass) => !isDraft(pass)));
    return 1 - (total(passes, "callMs") - handOver) / (decodeMs - total(passes, "asideMs"));
  };
  const seen = partsOf(watched, perRound);
  return {
    name,
    rounds,
    tokens: watched.reduce((sum, run) => sum + run.ids.length, 0),
    /** Milliseconds a round where nobody looks. */
    round: partsOf(bare, perRound),
    /** The same beside the twins, their time taken out. */
    watchedRound: {
      ...seen,
      draft: round(seen.draft - perRound(total(drafting, "asideMs"))),
      verify: round(seen.verify - perRound(total(verifying, "asideMs"))),
    },
    draft: layers(drafting, total(watched, "draftMs")),
    verify: layers(verifying, total(watched, "verifyMs")),
    /** Hand-over, search and JavaScript, of decoding beside the twins: the median prompt, for other work hits single ones. */
    nonModelShare: round(median(watched.map(({ decodeMs }, i) => notModel(byRun[i]!, decodeMs)))),
  };
}

/** The passes of a run behind its prefill: every round but the first has one pass of the target. */
function decodingOf(
  { rounds, begunAt, endedAt }: WatchedRun,
  passes: readonly Pass[],
  isDraft: (pass: Pass) => boolean,
) {
  const own = passes.filter(({ begun }) => begun >= begunAt && begun < endedAt).sort((a, b) => a.begun - b.begun);
  const lastPrefill = own.filter((pass) => !isDraft(pass)).at(-rounds);
  return own.filter(({ begun }) => begun > (lastPrefill?.begun ?? 0));
}

function partsOf(runs: readonly Run[], perRound: (ms: number) => number) {
  const [draft, search, verify] = [total(runs, "draftMs"), total(runs, "searchMs"), total(runs, "verifyMs")];
  const rest = Math.max(0, total(runs, "decodeMs") - draft - search - verify);
  return { draft: perRound(draft), search: perRound(search), verify: perRound(verify), rest: perRound(rest) };
}

/** Of a tenth of a millisecond each, a few that the machine interrupted for several would make up the sum. */
const handOverMs = (passes: readonly Pass[]) =>
  passes.length === 0 ? 0 : passes.length * median(passes.map((pass) => pass.handOverMs));

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Sum of a number over all. */
function total<K extends string>(items: readonly Readonly<Record<K, number>>[], key: K): number {
  return items.reduce((sum, item) => sum + item[key], 0);
}
