let table: Float32Array | undefined;

/** The numbers behind IEEE half-precision bits; exact. */
export function fromHalf(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, half) => halfValue(half));
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Half-precision bits of numbers, rounded to nearest, ties to even; exact for what {@link fromHalf} gave. */
export function toHalf(values: Float32Array, out: Uint16Array = new Uint16Array(values.length)): Uint16Array {
  for (let i = 0; i < values.length; i++) {
    scratch[0] = values[i]!;
    out[i] = halfBits(scratchBits[0]!);
  }
  return out;
}

function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00; // not a number
  if (size >= 0x477ff000) return sign | 0x7c00; // 65,520 and more round to infinity
  if (size >= 0x38800000) return sign | roundShift(size - 0x38000000, 13);
  if (size < 0x33000000) return sign; // below half of the least
  return sign | roundShift((size & 0x7fffff) | 0x800000, 126 - (size >>> 23));
}

/** value / 2^shift, to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** The bits of a float16 tensor: Uint16Array, or Float16Array where the platform has it. */
export function halfBitsOf(data: unknown): Uint16Array | undefined {
  if (data instanceof Uint16Array) return data;
  if (!ArrayBuffer.isView(data) || data.constructor.name !== "Float16Array") return undefined;
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
}
