import type { KvCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import { chainRequest } from "./request.ts";

export interface TimeRowsOptions {
  /** Timed passes of each row count; default 9. */
  readonly repeats?: number;
  /** Passes of each row count before the clock starts; default 2. */
  readonly warmUp?: number;
  /** Outputs fetched; default new_kv, and argmax or, where the graph has none, logits. */
  readonly fetch?: readonly string[];
}

/** Milliseconds of a pass by its number of rows. */
export interface RowTime {
  readonly rows: number;
  /** Median. */
  readonly ms: number;
}

/**
 * What a pass of each row count costs here and now, behind the rows the cache holds; the cache is not changed.
 * The counts take turns, so that a machine that slows down slows all of them.
 */
export async function timeRows(
  decoder: Decoder,
  cache: KvCache,
  counts: readonly number[],
  options: TimeRowsOptions = {},
): Promise<RowTime[]> {
  const { repeats = 9, warmUp = 2 } = options;
  const fetch = options.fetch ?? [decoder.outputs.has("argmax") ? "argmax" : "logits", "new_kv"];
  const times = counts.map(() => [] as number[]);
  const requests = counts.map((count) =>
    chainRequest(
      decoder,
      cache.length,
      Int32Array.from({ length: count }, (_, i) => (7 + 31 * i) % decoder.shape.vocabularySize),
      fetch,
    ),
  );
  for (let round = -warmUp; round < repeats; round++)
    for (const [i, request] of requests.entries()) {
      const start = performance.now();
      await decoder.run(cache, request);
      if (round >= 0) times[i]!.push(performance.now() - start);
    }
  return counts.map((rows, i) => ({ rows, ms: median(times[i]!) }));
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? Number.NaN;
}
