/** int8 values of some rows and the scale of each: value = q * scale, scale = max|row| / 127, halves to even. */
export interface Int8Rows {
  /** Row-major [rows, columns]. */
  readonly q: Int8Array;
  readonly scales: Float32Array;
}

/** Keeps a row of zeros from dividing by zero. */
const LEAST = Math.fround(1e-8);

export function quantiseRows(values: Float32Array, columns: number): Int8Rows {
  const rows = values.length / columns;
  const q = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let most = LEAST;
    for (let i = start; i < start + columns; i++) most = Math.max(most, Math.abs(values[i]!));
    const scale = Math.fround(most / 127);
    scales[row] = scale;
    for (let i = start; i < start + columns; i++) q[i] = roundHalfEven(Math.fround(values[i]! / scale));
  }
  return { q, scales };
}

/** Adding and taking away 1.5 * 2^52 leaves a double without fraction bits, rounded as IEEE 754 rounds. */
const ROUNDER = 1.5 * 2 ** 52;
const roundHalfEven = (value: number): number => value + ROUNDER - ROUNDER;

/** Rows of blocks for MatMulNBits: symmetric, one scale for `blockSize` inputs of one output. */
export interface BlockRows {
  /** [rows, blocks, blockSize * bits / 8]; of 4-bit pairs the first value is in the low half. */
  readonly q: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
}

/** The value of largest magnitude falls on -2^(bits-1), so its sign decides the scale's. */
export function quantiseBlocks(values: Float32Array, columns: number, bits: 4 | 8, blockSize: number): BlockRows {
  const rows = values.length / columns;
  const blocks = Math.ceil(columns / blockSize);
  const blob = (blockSize * bits) / 8;
  const middle = 2 ** (bits - 1);
  const q = new Uint8Array(rows * blocks * blob);
  const scales = new Float32Array(rows * blocks);
  for (let n = 0; n < scales.length; n++) {
    const start = Math.floor(n / blocks) * columns + (n % blocks) * blockSize;
    const end = Math.min(start + blockSize, (Math.floor(n / blocks) + 1) * columns);
    let peak = 0;
    for (let i = start; i < end; i++) if (Math.abs(values[i]!) > Math.abs(peak)) peak = values[i]!;
    const scale = Math.fround(peak / -middle);
    scales[n] = scale;
    for (let i = 0; i < blockSize; i++) {
      const value = start + i < end && scale !== 0 ? values[start + i]! / scale : 0;
      const level = Math.min(2 * middle - 1, Math.max(0, roundHalfEven(value) + middle));
      if (bits === 8) q[n * blob + i] = level;
      else q[n * blob + (i >> 1)]! |= level << (4 * (i & 1));
    }
  }
  return { q, scales };
}
