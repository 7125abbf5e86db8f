import type { Round } from "@diffuspec/spec-loop";
import { repeatedShare } from "./loops.ts";
import type { Method, Run } from "./methods.ts";
import { askPeer, keepReplies, type PeerReply, type PeerRun } from "./peer-runs.ts";
import type { Peer } from "./peers/peer.ts";

/** Every method on one prompt. */
export interface Trial {
  readonly prompt: number;
  readonly repeat: number;
  /** Repeated 4-grams of arExact's completion. */
  readonly repeatedShare: number;
  readonly runs: Readonly<Record<string, Run>>;
  readonly peers?: Readonly<Record<string, PeerRun>>;
}

/** Other programs that take turns with the methods. */
export interface Guests {
  readonly peers: readonly Peer[];
  /** For the text of what they wrote. */
  decode(ids: Int32Array): string;
}

export interface Watcher {
  begin?(prompt: number, method: string): void;
  round?(method: string, round: Round): void;
  end?(trial: Trial): void;
}

export interface InterleaveOptions {
  readonly maxTokens: number;
  /** Whole rounds over the prompts. */
  readonly repeats?: number;
  /** No prompt is begun later than this, in milliseconds since the process began; the first is always run. */
  readonly stopAtMs?: number;
  readonly watch?: Watcher;
  readonly guests?: Guests;
}

/**
 * All methods, arExact among them, and the guests on every prompt, taking turns prompt by prompt, the order rotated so that none always runs
 * on a warm or a throttled core. The first prompt is run once by each of them beforehand and thrown away.
 */
export async function interleave(
  methods: readonly Method[],
  prompts: readonly Int32Array[],
  { maxTokens, repeats = 1, stopAtMs = Number.POSITIVE_INFINITY, watch = {}, guests }: InterleaveOptions,
): Promise<Trial[]> {
  const all = [...methods, ...(guests?.peers ?? [])];
  for (const one of all) await ("run" in one ? one.run(prompts[0]!, maxTokens) : askPeer(one, prompts[0]!, maxTokens));
  const trials: Trial[] = [];
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const [index, prompt] of prompts.entries()) {
      if (trials.length > 0 && performance.now() > stopAtMs) return trials;
      const runs: Record<string, Run> = {};
      const replies = new Map<string, PeerReply>();
      for (let turn = 0; turn < all.length; turn++) {
        const one = all[(turn + index + repeat) % all.length]!;
        watch.begin?.(index, one.name);
        if ("run" in one) runs[one.name] = await one.run(prompt, maxTokens, (round) => watch.round?.(one.name, round));
        else replies.set(one.name, await askPeer(one, prompt, maxTokens));
      }
      const { ids } = runs.arExact!;
      const peers = guests && { peers: keepReplies(replies, ids, guests.decode) };
      const trial = { prompt: index, repeat, repeatedShare: repeatedShare(ids), runs, ...peers };
      trials.push(trial);
      watch.end?.(trial);
    }
  return trials;
}
