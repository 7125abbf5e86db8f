import { argmax } from "@diffuspec/contracts";
import { createCache, type KvCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import type { DecoderPass } from "./pass.ts";
import { differ, differInKv, differInLogits, fill, generator, option } from "./probe-tools.ts";
import { chainRequest } from "./request.ts";
import { exactRows, rowRange } from "./rows.ts";

/** The first bits that differed. */
export interface RowDifference {
  /** "logits", "argmax" (against the tie rule) or "new_kv". */
  readonly output: string;
  /** Cache rows before the block. */
  readonly pastLength: number;
  /** Row within the block. */
  readonly row: number;
  /** Rows of the pass that gave another value than the pass over the whole block. */
  readonly rowCount: number;
  readonly expected: number;
  readonly actual: number;
}

export interface RowExactness {
  readonly rowExact: boolean;
  /** Passes compared. */
  readonly checked: number;
  readonly firstDifference?: RowDifference;
}

export interface ProbeOptions {
  readonly decoder: Decoder;
  /** "quick" (default) takes about twenty passes, "thorough" about a thousand. */
  readonly effort?: "quick" | "thorough";
  /** Rows of the longest pass to try, 2 or more; default 64, and less where the model has too few positions. */
  readonly maxRows?: number;
  /** Rows of a prefill pass; where there are more than maxRows, keys and values of its last ones and logits of its last two are compared, too. */
  readonly prefillRows?: number;
  /** Seed of the random ids; default 1. */
  readonly seed?: number;
}

/**
 * Finds out whether the results of a row depend on the rows beside it: a block of rows is computed at once and again in
 * smaller passes, behind several lengths of cache and in buffers of several capacities. Logits and new keys and values
 * must agree in every bit, and a graph with its own argmax must follow the tie rule.
 * Passes are padded to {@link exactRows}, as exact decoding pads them.
 */
export async function probeRowExact(options: ProbeOptions): Promise<RowExactness> {
  const { decoder, effort = "quick", seed = 1 } = options;
  const { shape } = decoder;
  const most = Math.min(options.maxRows ?? 64, shape.positions >> 1);
  if (!Number.isInteger(most) || most < 2) throw option(`maxRows is ${options.maxRows}`);
  const block = exactRows(most) === most ? most : most - 1;
  const random = generator(seed);
  const draw = () => Int32Array.from({ length: block }, () => Math.floor(random() * shape.vocabularySize));
  const last = shape.positions - block - 1; // one row of room for padding
  const pasts = effort === "quick" ? [0, last >> 1, last] : spread(last, 5);
  const fetch = ["logits", "argmax", "new_kv"].filter((name) => decoder.outputs.has(name));
  const cache = createCache(shape);
  let checked = 0;

  try {
    for (const past of [...new Set(pasts)].sort((a, b) => a - b)) {
      await fill(decoder, cache, past, draw);
      const ids = draw();
      const whole = await decoder.run(cache, chainRequest(decoder, cache.length, ids, fetch));
      checked++;
      const tie = argmaxDifference(whole, shape.vocabularySize, decoder.outputs.has("argmax"));
      if (tie !== undefined) return { rowExact: false, checked, firstDifference: tie };
      cache.reserve(cache.capacity + 1); // the parts meet another capacity than the whole
      for (const plan of effort === "quick" ? [quickPlan(past)] : thoroughPlans(block)) {
        for (const [start, count] of cut(plan, block)) {
          const fed = Int32Array.from({ length: exactRows(count) }, (_, i) => ids[start + Math.min(i, count - 1)]!);
          const part = await decoder.run(cache, chainRequest(decoder, cache.length, fed, fetch));
          checked++;
          const difference = differ(whole, part, start, count, shape);
          if (difference !== undefined)
            return { rowExact: false, checked, firstDifference: { ...difference, pastLength: past, rowCount: count } };
          cache.append(part, rowRange(0, count));
        }
        cache.truncate(past);
      }
    }
    const long = Math.min(options.prefillRows ?? 0, shape.positions - 1); // one row of room for padding
    if (long > block) {
      cache.truncate(0);
      const difference = await longDifference(decoder, cache, long, block, () =>
        Math.floor(random() * shape.vocabularySize),
      );
      checked += 2;
      if (difference !== undefined) return { rowExact: false, checked, firstDifference: difference };
    }
  } finally {
    cache.dispose();
  }
  return { rowExact: true, checked };
}

/** The last `block` rows of a pass of `long` rows beside a pass of nothing but them. */
async function longDifference(
  decoder: Decoder,
  cache: KvCache,
  long: number,
  block: number,
  id: () => number,
): Promise<RowDifference | undefined> {
  const ids = Int32Array.from({ length: exactRows(long) }, id);
  const past = long - block;
  const request = (first: number, rows: Int32Array) => ({
    ...chainRequest(decoder, first, rows, ["logits", "new_kv"]),
    rows: rowRange(long - 2 - first, long - first), // out of a prefill comes the last row's token
  });
  const whole = await decoder.run(cache, request(0, ids));
  cache.append(whole, rowRange(0, past));
  const part = await decoder.run(cache, request(past, ids.slice(past, long)));
  const logits = differInLogits(whole, part, 0, 2, decoder.shape.vocabularySize);
  const found = logits
    ? { ...logits, row: long - 2 + logits.row }
    : differInKv(whole, part, past, block, decoder.shape);
  return found && { ...found, pastLength: past, rowCount: block };
}

function argmaxDifference(pass: DecoderPass, size: number, present: boolean): RowDifference | undefined {
  if (!present) return undefined;
  const best = pass.i32("argmax");
  for (let row = 0; row < pass.rowCount; row++) {
    const expected = argmax(pass.f32("logits").subarray(row * size, (row + 1) * size));
    if (best[row] !== expected)
      return {
        output: "argmax",
        pastLength: pass.pastLength,
        row,
        rowCount: pass.rowCount,
        expected,
        actual: best[row]!,
      };
  }
  return undefined;
}

/** Sizes of consecutive passes, repeated until they fill the block. */
const quickPlan = (past: number) => (past === 0 ? [1, 3, 5, 7, 15, 33] : [9, 21, 2, 32]);

const thoroughPlans = (block: number) => Array.from({ length: block - 1 }, (_, i) => [i + 1]);

/** Consecutive [start, count] that cover the block. */
function cut(plan: readonly number[], block: number): [number, number][] {
  const parts: [number, number][] = [];
  for (let start = 0, i = 0; start < block; i++) {
    const count = Math.min(plan[i % plan.length]!, block - start);
    parts.push([start, count]);
    start += count;
  }
  return parts;
}

const spread = (last: number, count: number) =>
  Array.from({ length: count }, (_, i) => Math.round((last * i) / (count - 1)));
