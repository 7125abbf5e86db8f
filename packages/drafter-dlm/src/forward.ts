import type { TopM } from "@diffuspec/lattice";
import { causalBias, createCache, type Decoder, rowRange } from "@diffuspec/onnx-decoder";
import { blockBias } from "./block-bias.ts";

/** The diffusion model over one cached prefix. */
export interface Forward {
  /** Committed ids in the cache. */
  readonly length: number;
  /** Caches committed ids; each sees the ones before it. `taps` as of a TapStore, a row an id; absent: none were seen. */
  extend(ids: Int32Array, taps?: Float32Array): Promise<void>;
  /**
   * One pass over `fresh` (committed ids, which are cached by it), then `block`, whose ids see everything and are not
   * cached. The table has a row for every index of `rows`, which count from the block's first id. `taps` has a row for
   * every fresh id, and may go on over head and block.
   */
  draft(fresh: Int32Array, head: Int32Array, block: Int32Array, rows: Int32Array, taps?: Float32Array): Promise<TopM>;
  truncate(length: number): void;
  dispose(): void;
}

const TABLE = ["top_ids", "top_logits", "log_sum_exp"] as const;

export function createForward(decoder: Decoder): Forward {
  const cache = createCache(decoder.shape);
  /** The graph's own input: rows behind the given ones are zero. */
  const tapsOf = (count: number, given?: Float32Array) => {
    if (decoder.tapsWidth === 0) return {};
    const taps = new Float32Array(count * decoder.tapsWidth);
    if (given) taps.set(given);
    return { taps };
  };
  return {
    get length() {
      return cache.length;
    },
    async extend(ids, taps) {
      const pass = await decoder.run(cache, {
        ids,
        rows: rowRange(0, 1),
        fetch: ["new_kv"],
        bias: causalBias(ids.length, cache.length),
        ...tapsOf(ids.length, taps),
      });
      cache.append(pass, rowRange(0, ids.length));
    },
    async draft(fresh, head, block, rows, taps) {
      const known = fresh.length + head.length;
      const ids = new Int32Array(known + block.length);
      ids.set(fresh);
      ids.set(head, fresh.length);
      ids.set(block, known);
      const pass = await decoder.run(cache, {
        ids,
        rows: rows.map((row) => known + row),
        fetch: fresh.length > 0 ? ["new_kv", ...TABLE] : TABLE,
        bias: blockBias(known, block.length, cache.length),
        ...tapsOf(ids.length, taps),
      });
      if (fresh.length > 0) cache.append(pass, rowRange(0, fresh.length));
      return { ids: pass.i32("top_ids"), logits: pass.f32("top_logits"), logSumExp: pass.f32("log_sum_exp") };
    },
    truncate: (length) => cache.truncate(length),
    dispose: () => cache.dispose(),
  };
}
