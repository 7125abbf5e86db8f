import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden.ts";
import { quantiseBlocks, quantiseRows } from "../weights/quantise.ts";
import { dequantise, FORMATS, type FormatName } from "./dequantise.ts";

const floats = (bits: number[]) => new Float32Array(Uint32Array.from(bits).buffer);
const bits = (values: Float32Array) => [...new Uint32Array(values.buffer, values.byteOffset, values.length)];

describe("every format equals the reference library in every bit", () => {
  it.each(Object.keys(FORMATS) as FormatName[])("%s", (name) => {
    const { bytes, values } = golden.formats[name]!;
    const found = dequantise(FORMATS[name], new Uint8Array(Buffer.from(bytes, "hex")));
    expect(bits(found)).toEqual(values);
  });
});

it("int8 rows equal NumPy's in every bit", () => {
  const { q, scales } = quantiseRows(floats(golden.int8.matrix), 40);
  expect([...q]).toEqual(golden.int8.q);
  expect(bits(scales)).toEqual(golden.int8.scales);
});

it.each([4, 8] as const)("%i-bit blocks: no value is off by more than half a step, but for the far end", (bits) => {
  const values = floats(golden.int8.matrix);
  const columns = 40;
  const blockSize = 32;
  const { q, scales } = quantiseBlocks(values, columns, bits, blockSize);
  const blob = (blockSize * bits) / 8;
  const middle = 2 ** (bits - 1);
  for (let row = 0; row < 6; row++)
    for (let column = 0; column < columns; column++) {
      const block = 2 * row + Math.floor(column / blockSize);
      const i = column % blockSize;
      const level = bits === 8 ? q[block * blob + i]! : (q[block * blob + (i >> 1)]! >> (4 * (i & 1))) & 15;
      const error = Math.abs((level - middle) * scales[block]! - values[row * columns + column]!);
      expect(error).toBeLessThanOrEqual(Math.abs(scales[block]!) * (level === 2 * middle - 1 ? 1 : 0.5) + 1e-6);
    }
});
