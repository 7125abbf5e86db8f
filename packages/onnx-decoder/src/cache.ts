import { DiffuSpecError } from "@diffuspec/contracts";
import type { Tensor } from "onnxruntime-node";
import { input } from "./input.ts";
import type { DecoderPass } from "./pass.ts";
import { type DecoderShape, validateShape } from "./shape.ts";

/** Options of {@link createCache}. */
export interface CacheOptions {
  /** Rows to make room for at once, in tokens; default 64. */
  readonly capacity?: number;
}

/** Keys and values of committed tokens: 2 * layers buffers of [1, kvHeads, capacity, headDim], owned by JavaScript. */
export interface KvCache {
  readonly shape: DecoderShape;
  /** Rows that count. A graph reads no others, so dropping rows costs nothing. */
  readonly length: number;
  /** Rows the buffers hold. */
  readonly capacity: number;
  /** The buffers as graph inputs past_N_key and past_N_value; the same object until the capacity changes. */
  feeds(): Readonly<Record<string, Tensor>>;
  /** Copies these rows of a pass behind the last one, in the order given; `before` rows of the pass were appended earlier (default 0). */
  append(pass: DecoderPass, rows: ArrayLike<number>, before?: number): void;
  /** Forgets all rows from `length` on; buffers more than twice as large as what is left are cut, too. */
  truncate(length: number): void;
  /** Makes room for `rows` rows in all. */
  reserve(rows: number): void;
  dispose(): void;
}

/**
 * Rounds up to 64 rows, above 1,024 to a sixteenth of the power of two below. GroupQueryAttention clears and fills as many rows of its
 * own in every pass as the buffers hold, so what is held in vain costs time.
 */
export function bucket(rows: number): number {
  const step = 64 * Math.max(1, 2 ** Math.floor(Math.log2(Math.max(rows, 1) / 1024)));
  return Math.max(step, Math.ceil(rows / step) * step);
}

/**
 * An empty cache.
 *
 * @throws ERR_OPTION for an impossible shape or capacity
 */
export function createCache(shape: DecoderShape, options: CacheOptions = {}): KvCache {
  validateShape(shape, "the cache");
  const { layers, kvHeads, headDim } = shape;
  const wanted = options.capacity ?? 64;
  if (!Number.isInteger(wanted) || wanted < 1)
    throw misuse("ERR_OPTION", `capacity is ${wanted}`, "it is a positive integer, in rows");
  let capacity = bucket(wanted);
  let length = 0;
  const heads = kvHeads * headDim;
  // Memory comes in powers of two, so that new pages are rare; the runtime sees the part that the capacity takes.
  let memory = Array.from({ length: 2 * layers }, () => new Float32Array(heads * capacity));
  let inputs: Record<string, Tensor> | undefined;
  let disposed = false;

  /** Moves every head's rows to where they lie at another capacity. */
  const resize = (rows: number) => {
    const room = memory[0]!.length / heads;
    const larger = Math.max(rows, Math.min(2 * room, bucket(shape.positions)));
    memory = memory.map((from) => {
      const to = rows > room ? new Float32Array(heads * larger) : from;
      for (let i = 0; i < kvHeads; i++) {
        const h = rows > capacity ? kvHeads - 1 - i : i; // upwards the last head moves first
        const at = h * capacity * headDim;
        if (to === from) to.copyWithin(h * rows * headDim, at, at + length * headDim);
        else to.set(from.subarray(at, at + length * headDim), h * rows * headDim);
      }
      return to;
    });
    capacity = rows;
    inputs = undefined;
  };
  const reserve = (rows: number) => {
    if (disposed) throw misuse("ERR_CLOSED", "The cache was used", "it has been disposed");
    if (rows > capacity) resize(bucket(rows));
  };

  return {
    shape,
    get length() {
      return length;
    },
    get capacity() {
      return capacity;
    },
    feeds() {
      if (disposed) throw misuse("ERR_CLOSED", "The cache was used", "it has been disposed");
      inputs ??= Object.fromEntries(
        memory.map((data, i) => [
          `past_${i >> 1}_${i & 1 ? "value" : "key"}`,
          input("float32", data.subarray(0, heads * capacity), [1, kvHeads, capacity, headDim]),
        ]),
      );
      return inputs;
    },
    append(pass, rows, before = 0) {
      const source = pass.newKv;
      if (source === undefined)
        throw misuse("ERR_CONTRACT", "A pass without new_kv was appended", "its rows were not fetched");
      if (pass.pastLength + before !== length)
        throw misuse(
          "ERR_CONTRACT",
          "Rows of another place were appended",
          `they follow row ${pass.pastLength + before} and the cache ends at ${length}`,
        );
      const count = pass.rowCount;
      for (let n = 0; n < rows.length; n++)
        if (!(rows[n]! >= 0 && rows[n]! < count))
          throw misuse("ERR_CONTRACT", `Row ${rows[n]} was appended`, `the pass has rows 0..${count - 1}`);
      reserve(length + rows.length);
      for (let n = 0; n < rows.length; ) {
        let run = 1;
        while (n + run < rows.length && rows[n + run] === rows[n]! + run) run++;
        for (let b = 0; b < memory.length; b++)
          for (let h = 0; h < kvHeads; h++) {
            const at = ((b * kvHeads + h) * count + rows[n]!) * headDim;
            copy(source, at, run * headDim, memory[b]!, (h * capacity + length + n) * headDim);
          }
        n += run;
      }
      length += rows.length;
    },
    truncate(to) {
      if (!Number.isInteger(to) || to < 0 || to > length)
        throw misuse("ERR_CONTRACT", `The cache was cut to ${to} rows`, `it has ${length}`);
      length = to;
      if (!disposed && 2 * bucket(to) < capacity) resize(bucket(to));
    },
    reserve,
    dispose() {
      disposed = true;
      memory = [];
      inputs = undefined;
      length = 0;
    },
  };
}

/** Views cost more than a few rows: a pass of SmolLM2 has 180 pieces to copy. */
function copy(source: Float32Array, from: number, count: number, target: Float32Array, to: number): void {
  if (count > 256) target.set(source.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) target[to + i] = source[from + i]!;
}

const misuse = (code: "ERR_CONTRACT" | "ERR_CLOSED" | "ERR_OPTION", what: string, why: string) =>
  new DiffuSpecError({ code, what, why, next: "Fix the caller; see KvCache in @diffuspec/onnx-decoder." });
