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
  const matrix = (name: string) => [new Int8Array(bytes(`${name}.q`)), vector(`${name}.s`)] as const;
  return {
    vector,
    /** [ids, width], as it lies. */
    embedding(name: string): Float32Array {
      const [q, s] = matrix(name);
      const width = q.length / s.length;
      return new Float32Array(q.length).map((_, i) => q[i]! * s[Math.floor(i / width)]!);
    },
    /** Some outputs of a matrix that is stored [in, out]: [count, in]. */
    outputs(name: string, first: number, count: number): Float32Array {
      const [q, s] = matrix(name);
      const columns = q.length / s.length;
      return new Float32Array(count * columns).map((_, i) => {
        const row = first + Math.floor(i / columns);
        return q[(i % columns) * s.length + row]! * s[row]!;
      });
    },
  };
}
