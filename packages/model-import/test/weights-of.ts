import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readFields } from "../src/onnx/read.ts";

/** Fields of ModelProto, GraphProto, TensorProto and StringStringEntryProto. */
const [GRAPH, INITIALISER, NAME, EXTERNAL, KEY, VALUE] = [7, 5, 8, 13, 1, 2];

/** The int8 weights that a graph multiplies by, in float32. */
export function weightsOf(path: string) {
  const places = new Map<string, Record<string, string>>();
  const only = (message: Uint8Array, wanted: number) => readFields(message).filter(({ field }) => field === wanted);
  const text = (message: Uint8Array, wanted: number) => Buffer.from(only(message, wanted)[0]!.value).toString();
  for (const { value } of only(only(readFileSync(path), GRAPH)[0]!.value, INITIALISER)) {
    const place = only(value, EXTERNAL).map((entry) => [text(entry.value, KEY), text(entry.value, VALUE)]);
    if (place.length > 0) places.set(text(value, NAME), Object.fromEntries(place));
  }
  const files = new Map<string, Buffer>();
  const bytes = (name: string) => {
    const { location, offset, length } = places.get(name)!;
    const file = files.get(location!) ?? readFileSync(join(dirname(path), location!));
    files.set(location!, file);
    return Uint8Array.from(file.subarray(Number(offset), Number(offset) + Number(length))).buffer;
  };
  const vector = (name: string) => new Float32Array(bytes(name));
  const rows = (name: string, first: number, count: number, step: number, stride: number) => {
    const [q, s] = [new Int8Array(bytes(`${name}.q`)), vector(`${name}.s`)];
    const columns = q.length / s.length;
    const out = new Float32Array(count * columns);
    for (let row = 0; row < count; row++)
      for (let column = 0; column < columns; column++)
        out[row * columns + column] =
          q[(first + row) * (step || columns) + column * (stride || s.length)]! * s[first + row]!;
    return out;
  };
  return {
    vector,
    /** [ids, width], as it lies. */
    embedding: (name: string, ids: number) => rows(name, 0, ids, 0, 1),
    /** Some outputs of a matrix that is stored [in, out]: [count, in]. */
    outputs: (name: string, first: number, count: number) => rows(name, first, count, 1, 0),
  };
}
