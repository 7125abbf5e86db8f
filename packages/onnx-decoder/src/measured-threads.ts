import { createCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import { defaultThreads } from "./graph-session.ts";
import { fill } from "./probe-tools.ts";
import { rowRange } from "./rows.ts";
import { timeRows } from "./time-rows.ts";

/** Rows of the passes that are timed: plain decoding's, and a draft's. */
const ROWS = [2, 9];
const CONTEXT = 64;
const REPEATS = 9;

/**
 * The graph with as many threads as make it faster here and now: one, or the default number. It is loaded with both, which
 * take turns on passes of a few rows; the slower one is disposed.
 *
 * @param open loads the graph with this number of threads
 * @param most the other number; default {@link defaultThreads}
 */
export async function withMeasuredThreads<D extends Decoder>(
  open: (threads: number) => Promise<D>,
  most: number = defaultThreads(),
): Promise<D> {
  const alone = await open(1);
  if (most <= 1) return alone;
  let several: D | undefined;
  const cache = createCache(alone.shape);
  try {
    several = await open(most);
    const { positions, vocabularySize } = alone.shape;
    const context = Math.min(CONTEXT, positions >> 1);
    await fill(alone, cache, context, () => rowRange(0, Math.min(context, vocabularySize)));
    const rows = ROWS.filter((count) => context + count <= positions);
    const rivals = [alone, several].map((decoder) => ({ decoder, ms: [] as number[] }));
    for (let round = -1; round < REPEATS; round++)
      for (const { decoder, ms } of round & 1 ? rivals : [...rivals].reverse()) {
        const times = await timeRows(decoder, cache, rows, { repeats: 1, warmUp: 0 });
        if (round >= 0) ms.push(times.reduce((sum, time) => sum + time.ms, 0));
      }
    const [one, more] = rivals.map(({ ms }) => ms.sort((a, b) => a - b)[ms.length >> 1]!);
    const [kept, dropped] = more! < one! ? [several, alone] : [alone, several];
    await dropped.dispose();
    return kept;
  } catch (error) {
    await alone.dispose();
    await several?.dispose();
    throw error;
  } finally {
    cache.dispose();
  }
}
