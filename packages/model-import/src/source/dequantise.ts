/**
 * Tensor formats as files hold them, and what their values are. GGUF's block formats as ggml defines them: a block of
 * values shares scales, least significant bits first. Results equal float32 arithmetic in every bit.
 */
export interface Format {
  /** Values of one block. */
  readonly values: number;
  /** Bytes of one block. */
  readonly bytes: number;
  /** Writes the values of the block at `from` to `out[to ...]`. */
  readonly read: (data: DataView, from: number, out: Float32Array, to: number) => void;
}

export type FormatName = "F32" | "F16" | "BF16" | "Q4_0" | "Q4_1" | "Q5_0" | "Q8_0" | "Q4_K" | "Q6_K";

export const FORMATS: Readonly<Record<FormatName, Format>> = {
  F32: single(4, (data, at) => data.getFloat32(at, true)),
  F16: single(2, (data, at) => half(data.getUint16(at, true))),
  BF16: single(2, (data, at) => bfloat(data.getUint16(at, true))),
  /** float16 scale, 32 signed bytes. */
  Q8_0: {
    values: 32,
    bytes: 34,
    read(data, from, out, to) {
      const scale = half(data.getUint16(from, true));
      for (let i = 0; i < 32; i++) out[to + i] = scale * data.getInt8(from + 2 + i);
    },
  },
  /** float16 scale, 16 bytes: low halves are values 0..15, high halves 16..31, each less 8. */
  Q4_0: {
    values: 32,
    bytes: 18,
    read(data, from, out, to) {
      const scale = half(data.getUint16(from, true));
      for (let i = 0; i < 16; i++) {
        const pair = data.getUint8(from + 2 + i);
        out[to + i] = scale * ((pair & 15) - 8);
        out[to + 16 + i] = scale * ((pair >> 4) - 8);
      }
    },
  },
  /** float16 scale and least value, then as Q4_0 without the 8. */
  Q4_1: {
    values: 32,
    bytes: 20,
    read(data, from, out, to) {
      const scale = half(data.getUint16(from, true));
      const least = half(data.getUint16(from + 2, true));
      for (let i = 0; i < 16; i++) {
        const pair = data.getUint8(from + 4 + i);
        out[to + i] = scale * (pair & 15) + least;
        out[to + 16 + i] = scale * (pair >> 4) + least;
      }
    },
  },
  /** float16 scale, 32 fifth bits, then as Q4_0, each less 16. */
  Q5_0: {
    values: 32,
    bytes: 22,
    read(data, from, out, to) {
      const scale = half(data.getUint16(from, true));
      const fifth = data.getUint32(from + 2, true);
      for (let i = 0; i < 16; i++) {
        const pair = data.getUint8(from + 6 + i);
        out[to + i] = scale * (((pair & 15) | (((fifth >>> i) & 1) << 4)) - 16);
        out[to + 16 + i] = scale * (((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) - 16);
      }
    },
  },
  /** Eight groups of 32 values with 6-bit scales and 6-bit least values of their own. */
  Q4_K: {
    values: 256,
    bytes: 144,
    read(data, from, out, to) {
      const scale = half(data.getUint16(from, true));
      const least = half(data.getUint16(from + 2, true));
      for (let group = 0; group < 8; group++) {
        const [s, m] = groupOf(data, from + 4, group);
        const shift = 4 * (group & 1);
        for (let i = 0; i < 32; i++) {
          const q = (data.getUint8(from + 16 + 32 * (group >> 1) + i) >> shift) & 15;
          out[to + 32 * group + i] = scale * s * q - least * m;
        }
      }
    },
  },
  /** 128 bytes of low halves, 64 of two more bits each, 16 signed scales of 16 values, float16 scale; each value less 32. */
  Q6_K: {
    values: 256,
    bytes: 210,
    read(data, from, out, to) {
      const scale = half(data.getUint16(from + 208, true));
      for (let i = 0; i < 256; i++) {
        const side = i >> 7;
        const row = (i >> 5) & 3;
        const column = i & 31;
        const low = (data.getUint8(from + 64 * side + 32 * (row & 1) + column) >> ((row >> 1) << 2)) & 15;
        const high = (data.getUint8(from + 128 + 32 * side + column) >> (2 * row)) & 3;
        out[to + i] = scale * data.getInt8(from + 192 + (i >> 4)) * ((low | (high << 4)) - 32);
      }
    },
  },
};

/** Values of whole blocks. @param bytes a multiple of the format's block */
export function dequantise(format: Format, bytes: Uint8Array): Float32Array {
  const blocks = bytes.length / format.bytes;
  const out = new Float32Array(blocks * format.values);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block < blocks; block++) format.read(data, block * format.bytes, out, block * format.values);
  return out;
}

/** Scale and least value of one of eight groups, six bits each in twelve bytes; the last four borrow their top two bits. */
function groupOf(data: DataView, at: number, group: number): [number, number] {
  const byte = (i: number) => data.getUint8(at + i);
  if (group < 4) return [byte(group) & 63, byte(group + 4) & 63];
  return [(byte(group + 4) & 15) | ((byte(group - 4) >> 6) << 4), (byte(group + 4) >> 4) | ((byte(group) >> 6) << 4)];
}

function single(bytes: number, value: (data: DataView, at: number) => number): Format {
  return {
    values: 1,
    bytes,
    read(data, from, out, to) {
      out[to] = value(data, from);
    },
  };
}

let halves: Float32Array | undefined;

/** IEEE 754 binary16, by table. */
function half(bits: number): number {
  halves ??= Float32Array.from({ length: 65_536 }, (_, b) => {
    const exponent = (b >> 10) & 31;
    const fraction = b & 1023;
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Number.POSITIVE_INFINITY
            : Number.NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return b & 0x8000 ? -size : size;
  });
  return halves[bits]!;
}

const word = new DataView(new ArrayBuffer(4));

/** The upper half of a float32. */
function bfloat(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}
