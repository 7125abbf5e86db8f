import { basename } from "node:path";
import { openModel } from "@diffuspec/model-files";
import { circumstances } from "./circumstances.ts";
import { interleave } from "./interleave.ts";
import { canRun, type Method, type MethodName, openMethods, type Run } from "./methods.ts";
import { loadPair, type PairOptions } from "./pair.ts";
import { type Pass, profileSessions } from "./profile.ts";
import { encodeSuite, type Suite } from "./suite.ts";
import { divergences, round } from "./summary.ts";

export interface AnatomyOptions extends PairOptions {
  readonly suite: (chat: boolean) => Suite;
  readonly maxTokens: number;
  readonly progress?: (line: string) => void;
}

export type AnatomyResult = Awaited<ReturnType<typeof measureAnatomy>>;
export type AnatomyRow = ReturnType<typeof anatomyRow>;

/** Milliseconds a round of one model's work, from the inside out. */
export interface Layers {
  /** The graph's operators. */
  readonly kernels: number;
  /** Between operators: dispatch, allocation, and the writing of the profile. */
  readonly runtime: number;
  /** Between session.run and the runtime: copies of inputs and outputs, and a turn of the event loop. */
  readonly binding: number;
  /** Around session.run. */
  readonly script: number;
}
export const LAYERS = ["kernels", "runtime", "binding", "script"] as const;

/** A run under the profiler, and when it began and ended, by performance.now(). */
export interface WatchedRun extends Run {
  readonly begunAt: number;
  readonly endedAt: number;
}

const METHODS = ["ar", "arExact", "ngram", "everyRound", "diffuspec"] as const satisfies MethodName[];
const watchedName = (name: string) => `${name}, profiled`;

/**
 * The same prompts by a pair that is profiled and by one that is not, taking turns: the profile says what the operators take,
 * the other run how long all of it takes where nobody looks.
 */
export async function measureAnatomy({ suite: openSuite, maxTokens, progress = () => {}, ...options }: AnatomyOptions) {
  const sitting = circumstances();
  const bare = await loadPair(options);
  const names = METHODS.filter((name) => canRun(name, bare));
  const methods = await openMethods(names, bare);
  const profiler = profileSessions();
  const watched = await loadPair(options);
  const watchedMethods = (await openMethods(names, watched)).map(withTimes); // loads the drafters, too
  profiler.stop();
  const suite = openSuite(bare.engine.info.chat);
  const prompts = encodeSuite(suite, bare.engine);
  let done = 0;
  const watch = { end: () => progress(`${++done}/${prompts.length}`) };
  const trials = await interleave([...methods, ...watchedMethods], prompts, { maxTokens, watch });
  const passes = await profiler.passes();
  const { drafter } = (await openModel(bare.engine.info.directory)).manifest as { drafter?: { graphs?: object } };
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
        passes,
        draftGraphs,
      ),
    ),
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
  const rounds = total(watched, "rounds");
  const perRound = (ms: number) => round(ms / rounds);
  const layers = (of: readonly Pass[], partMs: number): Layers => {
    const [calls, runtime, kernels] = [total(of, "callMs"), total(of, "runtimeMs"), total(of, "kernelMs")];
    return {
      kernels: perRound(kernels),
      runtime: perRound(runtime - kernels),
      binding: perRound(calls - runtime),
      script: perRound(partMs - calls),
    };
  };
  const drafting = own.filter(isDraft);
  const verifying = own.filter((pass) => !isDraft(pass));
  const notKernels = (runs: readonly Run[]) =>
    round(median(runs.map(({ decodeMs }, i) => 1 - total(byRun[i]!, "kernelMs") / decodeMs)));
  return {
    name,
    rounds,
    tokens: watched.reduce((sum, run) => sum + run.ids.length, 0),
    /** Milliseconds a round without the profiler. */
    round: partsOf(bare, perRound),
    /** The same with it. */
    profiledRound: partsOf(watched, perRound),
    draft: { passes: round(drafting.length / rounds), ...layers(drafting, total(watched, "draftMs")) },
    verify: { passes: round(verifying.length / rounds), ...layers(verifying, total(watched, "verifyMs")) },
    /** What is not kernels, of decoding without the profiler: the median prompt, for other work on the machine hits single ones. */
    nonModelShare: notKernels(bare),
    /** Of decoding with it: an upper bound, for the profiler's own work is in it. */
    profiledNonModelShare: notKernels(watched),
  };
}

/** The passes of a run behind its prefill: a round has one pass of the target. */
function decodingOf(
  { rounds, begunAt, endedAt }: WatchedRun,
  passes: readonly Pass[],
  isDraft: (pass: Pass) => boolean,
) {
  const own = passes.filter(({ begun }) => begun >= begunAt && begun < endedAt).sort((a, b) => a.begun - b.begun);
  const lastPrefill = own.filter((pass) => !isDraft(pass)).at(-1 - rounds);
  return own.filter(({ begun }) => begun > (lastPrefill?.begun ?? 0));
}

function partsOf(runs: readonly Run[], perRound: (ms: number) => number) {
  const [draft, search, verify] = [total(runs, "draftMs"), total(runs, "searchMs"), total(runs, "verifyMs")];
  const rest = Math.max(0, total(runs, "decodeMs") - draft - search - verify);
  return { draft: perRound(draft), search: perRound(search), verify: perRound(verify), rest: perRound(rest) };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Sum of a number over all. */
function total<K extends string>(items: readonly Readonly<Record<K, number>>[], key: K): number {
  return items.reduce((sum, item) => sum + item[key], 0);
}
