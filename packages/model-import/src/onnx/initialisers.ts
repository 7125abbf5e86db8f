import { parseError } from "../errors.ts";
import { readFields } from "./read.ts";

/** The bytes of a tensor: inside the graph's file, or in a file beside it. */
export type StoredBytes = Uint8Array | { readonly location: string; readonly offset: number; readonly length: number };

/** Fields of ModelProto, GraphProto, TensorProto and StringStringEntryProto; onnx/onnx.proto names them. */
const GRAPH = 7;
const INITIALISER = 5;
const TENSOR = { name: 8, raw: 9, external: 13 } as const;

/**
 * The weights of a graph, by name; those stored neither as raw bytes nor beside the graph are left out.
 *
 * @throws ERR_PARSE for a damaged graph, or one that names a file outside its folder
 */
export function readInitialisers(graph: Uint8Array, file: string): Map<string, StoredBytes> {
  const out = new Map<string, StoredBytes>();
  const body = readFields(graph, 0).find(({ field }) => field === GRAPH);
  for (const { field, value } of body ? readFields(body.value) : []) {
    if (field !== INITIALISER) continue;
    const tensor = readFields(value);
    const name = decode(tensor.find((part) => part.field === TENSOR.name)?.value);
    const raw = tensor.find((part) => part.field === TENSOR.raw);
    if (raw) out.set(name, raw.value);
    const external = new Map(
      tensor
        .filter((part) => part.field === TENSOR.external)
        .map(({ value: entry }) => readFields(entry))
        .map((entry) => [textOf(entry, 1), textOf(entry, 2)]),
    );
    if (external.size > 0) out.set(name, place(external, name, file));
  }
  return out;
}

function place(external: ReadonlyMap<string, string>, name: string, file: string): StoredBytes {
  const location = external.get("location") ?? "";
  const [offset, length] = [Number(external.get("offset") ?? 0), Number(external.get("length"))];
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(location))
    throw parseError(file, `its tensor ${name} lies in ${JSON.stringify(location)}, which is no file beside it`);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
    throw parseError(file, `its tensor ${name} lies at ${offset}, ${length} bytes`);
  return { location, offset, length };
}

const utf8 = new TextDecoder();
const decode = (value: Uint8Array | undefined) => utf8.decode(value);
const textOf = (entry: ReturnType<typeof readFields>, wanted: number) =>
  decode(entry.find(({ field }) => field === wanted)?.value);
