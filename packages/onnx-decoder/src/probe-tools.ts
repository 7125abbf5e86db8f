import { DiffuSpecError } from "@diffuspec/contracts";
import type { KvCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import type { DecoderPass } from "./pass.ts";
import type { RowDifference } from "./probe.ts";
import { chainRequest } from "./request.ts";
import type { DecoderShape } from "./shape.ts";

/** Grows the cache to `past` rows. Rows of one real pass are repeated: any content will do, as long as it is lifelike. */
export async function fill(decoder: Decoder, cache: KvCache, past: number, draw: () => Int32Array): Promise<void> {
  if (past <= cache.length) return;
  const pass = await decoder.run(
    cache,
    chainRequest(decoder, cache.length, draw().subarray(0, Math.max(2, decoder.shape.positions - cache.length)), [
      "new_kv",
    ]),
  );
  cache.append(
    pass,
    Int32Array.from({ length: past - cache.length }, (_, i) => i % pass.rowCount),
  );
}

type Difference = Pick<RowDifference, "output" | "row" | "expected" | "actual">;

/** Compares rows start .. start + count - 1 of one pass with rows 0 .. count - 1 of another. */
export function differ(
  whole: DecoderPass,
  part: DecoderPass,
  start: number,
  count: number,
  shape: DecoderShape,
): Difference | undefined {
  const logits = differInLogits(whole, part, start, count, shape.vocabularySize);
  return logits ?? differInKv(whole, part, start, count, shape);
}

/** The same of the logits alone; rows are those the LM head looked at. */
export function differInLogits(
  whole: DecoderPass,
  part: DecoderPass,
  start: number,
  count: number,
  size: number,
): Difference | undefined {
  const found = firstUnequal(whole.f32("logits"), start * size, part.f32("logits"), 0, count * size);
  return found && { output: "logits", row: start + Math.floor(found.offset / size), ...values(found) };
}

/** The same of the new keys and values alone. */
export function differInKv(
  whole: DecoderPass,
  part: DecoderPass,
  start: number,
  count: number,
  shape: DecoderShape,
): Difference | undefined {
  for (let h = 0; h < 2 * shape.layers * shape.kvHeads; h++) {
    const a = (h * whole.rowCount + start) * shape.headDim;
    const b = h * part.rowCount * shape.headDim;
    const kv = firstUnequal(whole.f32("new_kv"), a, part.f32("new_kv"), b, count * shape.headDim);
    if (kv) return { output: "new_kv", row: start + Math.floor(kv.offset / shape.headDim), ...values(kv) };
  }
  return undefined;
}

const values = ({ expected, actual }: { expected: number; actual: number }) => ({ expected, actual });

/** Bits, not numbers: -0 differs from 0, and NaN equals itself. */
function firstUnequal(a: Float32Array, aStart: number, b: Float32Array, bStart: number, count: number) {
  const x = new Uint32Array(a.buffer, a.byteOffset + 4 * aStart, count);
  const y = new Uint32Array(b.buffer, b.byteOffset + 4 * bStart, count);
  for (let i = 0; i < count; i++)
    if (x[i] !== y[i]) return { offset: i, expected: a[aStart + i]!, actual: b[bStart + i]! };
  return undefined;
}

/** mulberry32, uniform in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const option = (what: string) =>
  new DiffuSpecError({ code: "ERR_OPTION", what, why: "the probe cannot run so", next: "See ProbeOptions." });
