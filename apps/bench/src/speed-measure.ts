import { circumstances } from "./circumstances.ts";
import { interleave } from "./interleave.ts";
import { canRun, openMethods, SPEED_METHODS } from "./methods.ts";
import type { Pair } from "./pair.ts";
import type { Peers } from "./peers/create-peers.ts";
import { summarisePeers } from "./speed-peers.ts";
import { summariseSpeed } from "./speed-summary.ts";
import { encodeSuite, type Suite } from "./suite.ts";

export interface SpeedOptions {
  readonly maxTokens: number;
  readonly repeats?: number;
  readonly stopAtMs?: number;
  /** Other programs on the same prompts. */
  readonly peers?: Pick<Peers, "peers" | "missing"> | undefined;
  readonly progress?: (line: string) => void;
}

export type SpeedResult = Awaited<ReturnType<typeof measureSpeed>>["result"];

/** Every method the pair has files for on every prompt of the suite, taking turns. */
export async function measureSpeed(pair: Pair, suite: Suite, options: SpeedOptions) {
  const { maxTokens, repeats = 1, stopAtMs, peers, progress = () => {} } = options;
  const sitting = circumstances();
  const prompts = encodeSuite(suite, pair.engine);
  const names = SPEED_METHODS.filter((name) => canRun(name, pair));
  const missing = SPEED_METHODS.filter((name) => !canRun(name, pair));
  const methods = await openMethods(names, pair);
  let done = 0;
  const trials = await interleave(methods, prompts, {
    maxTokens,
    repeats,
    ...(stopAtMs !== undefined && { stopAtMs }),
    ...(peers && { guests: { peers: peers.peers, decode: (ids) => pair.engine.tokenizer.decode(ids) } }),
    watch: { end: () => progress(`${++done}/${prompts.length * repeats}`) },
  });
  for (const method of methods) await method.dispose();
  const { ar, ...summary } = summariseSpeed(trials, suite.prompts, names);
  const result = {
    pair: pair.name,
    suite: suite.name,
    ...summary,
    ar: { ...ar, graph: pair.plain.precision },
    missing: missing.map((name) => ({ name, why: "the model has no files for it" })),
    ...(peers && { peers: summarisePeers(trials, peers.peers), missingPeers: peers.missing }),
    maxTokens,
    sampling: pair.sampling,
    precision: pair.engine.info.precision,
    threads: pair.engine.info.threads,
    /** Of the whole process: target, drafters, n-gram, and the one-row loop's graph. */
    peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    circumstances: sitting,
  };
  return { result, trials };
}
