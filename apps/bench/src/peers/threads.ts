import type { LoadedPeer, PeerSettings } from "./peer.ts";

const TRIAL_TOKENS = 24;

/** Loads a peer with each number of threads and keeps the one that decodes fastest; the others are disposed. */
export async function pickThreads(
  open: (threads: number) => Promise<LoadedPeer>,
  { threads, trial }: Pick<PeerSettings, "threads" | "trial">,
): Promise<{ peer: LoadedPeer; threads: number }> {
  if (threads.length === 1) return { peer: await open(threads[0]!), threads: threads[0]! };
  let best: { peer: LoadedPeer; threads: number; ms: number } | undefined;
  for (const count of threads) {
    const peer = await open(count);
    await peer.generate(trial, TRIAL_TOKENS);
    const { ids, prefillMs, decodeMs } = await peer.generate(trial, TRIAL_TOKENS);
    const ms = (prefillMs + decodeMs) / ids.length;
    const loser = best === undefined || ms < best.ms ? best?.peer : peer;
    if (loser !== peer) best = { peer, threads: count, ms };
    await loser?.dispose();
  }
  return best!;
}
