const MOST = 1024;
const COUNT = Int32Array.from({ length: MOST }, (_, i) => i);

/** The integers start .. end - 1 as a view that is shared: never write to it. */
export function rowRange(start: number, end: number): Int32Array {
  return end <= MOST ? COUNT.subarray(start, end) : Int32Array.from({ length: end - start }, (_, i) => start + i);
}

/** int64 tensor data from small non-negative integers, without a BigInt for each. */
export function int64(values: ArrayLike<number>): BigInt64Array {
  const out = new BigInt64Array(values.length);
  const words = new Int32Array(out.buffer);
  for (let i = 0; i < values.length; i++) words[2 * i] = values[i]!;
  return out;
}

/**
 * Rows a pass must have so that `count` of them are computed as they would be in any other pass.
 * Matrix kernels take rows in blocks of up to 32, and a block of one row goes through a matrix-vector kernel that sums
 * in another order. So no pass may leave a single row over: 1 becomes 2, 33 becomes 34, 65 becomes 66.
 */
export function exactRows(count: number): number {
  return count % 32 === 1 ? count + 1 : count;
}
