import type { FileHandle } from "node:fs/promises";
import { parseError, unsupported } from "../errors.ts";
import { type ByteReader, bytesOf, createByteReader, type NumberKind } from "./byte-reader.ts";
import { FORMATS, type FormatName } from "./dequantise.ts";
import { checkTensors, type TensorInfo } from "./tensor-file.ts";

/** 64-bit integers come as numbers; arrays of arrays are not kept. */
export type MetadataValue = number | boolean | string | readonly (number | boolean | string)[];

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly tensors: readonly TensorInfo[];
}

const MAGIC = 0x46554747; // "GGUF"
const MOST = {
  entries: 65_536,
  keyBytes: 65_535,
  textBytes: 2 ** 24,
  arrayItems: 2 ** 23,
  alignment: 2 ** 16,
} as const;

/** Value types by number, 8 and 9 being texts and arrays. */
const KINDS: readonly (NumberKind | "bool" | "text" | "array")[] = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "text",
  "array",
  "uint64",
  "int64",
  "float64",
];

/** Tensor types by ggml's numbers; the others have no reader here. */
const FORMAT_OF: Readonly<Record<number, FormatName>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  6: "Q5_0",
  8: "Q8_0",
  12: "Q4_K",
  14: "Q6_K",
  30: "BF16",
};

/**
 * Reads the metadata and tensor list of a GGUF file, version 2 or 3, little-endian.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 *
 * Every count and length is held against the bytes that are left before anything is allocated by it, and every tensor
 * against the file's end.
 *
 * @throws ERR_PARSE, ERR_UNSUPPORTED (a tensor format without a reader, version 1, big-endian)
 */
export async function readGgufHeader(file: FileHandle, path: string, size: number): Promise<GgufHeader> {
  const reader = createByteReader(file, path, size);
  if ((await reader.number("uint32")) !== MAGIC) throw parseError(path, "it does not begin with GGUF");
  const version = await reader.number("uint32");
  if (version !== 2 && version !== 3)
    throw unsupported(
      `${path} is GGUF version ${version}`,
      "versions 2 and 3, little-endian, are read",
      "Convert the model again with a current llama.cpp.",
    );
  const tensorCount = await count(reader, path, "the number of tensors", 24);
  const entryCount = await count(reader, path, "the number of metadata entries", 13);

  const metadata = new Map<string, MetadataValue>();
  for (let i = 0; i < entryCount; i++) {
    const key = await reader.text("a metadata key", MOST.keyBytes);
    if (metadata.has(key)) throw parseError(path, `its metadata has ${JSON.stringify(key)} twice`);
    metadata.set(key, await readValue(reader, path, key));
  }
  const alignment = metadata.get("general.alignment") ?? 32;
  if (
    typeof alignment !== "number" ||
    !Number.isInteger(Math.log2(alignment)) ||
    alignment < 1 ||
    alignment > MOST.alignment
  )
    throw parseError(path, `its alignment is ${String(alignment)}`);

  const described: Omit<TensorInfo, "bytes">[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = await readTensor(reader, path);
    if (names.has(tensor.name)) throw parseError(path, `it has the tensor ${JSON.stringify(tensor.name)} twice`);
    if (tensor.offset % alignment !== 0)
      throw parseError(path, `its tensor ${JSON.stringify(tensor.name)} is not aligned`);
    names.add(tensor.name);
    described.push(tensor);
  }
  const start = Math.ceil(reader.position / alignment) * alignment;
  const tensors = described.map((tensor) => {
    const { values, bytes } = FORMATS[tensor.format];
    return {
      ...tensor,
      offset: start + tensor.offset,
      bytes: (tensor.dims.reduce((a, b) => a * b, 1) / values) * bytes,
    };
  });
  checkTensors(path, tensors, start, size, FORMATS);
  return { metadata, tensors };
}

async function count(reader: ByteReader, path: string, what: string, leastBytes: number): Promise<number> {
  const value = await reader.size(what);
  if (value > MOST.entries) throw parseError(path, `${what} is ${value}; at most ${MOST.entries} are read`);
  reader.expect(value, leastBytes, what);
  return value;
}

async function readValue(reader: ByteReader, path: string, key: string): Promise<MetadataValue> {
  const kind = await kindOf(reader, path, key);
  if (kind !== "array") return readScalar(reader, path, kind, key);
  const inner = await kindOf(reader, path, key);
  if (inner === "array")
    throw unsupported(
      `${path} has an array of arrays at ${JSON.stringify(key)}`,
      "no decoder needs one",
      "Convert the model again without it.",
    );
  const length = await reader.size(`the length of ${key}`);
  if (length > MOST.arrayItems)
    throw parseError(path, `${key} claims ${length} items; at most ${MOST.arrayItems} are read`);
  reader.expect(length, inner === "text" ? 8 : inner === "bool" ? 1 : bytesOf(inner), key);
  const out: (number | boolean | string)[] = [];
  for (let i = 0; i < length; i++) out.push(await readScalar(reader, path, inner, key));
  return out;
}

async function kindOf(reader: ByteReader, path: string, key: string): Promise<(typeof KINDS)[number]> {
  const number = await reader.number("uint32");
  const kind = KINDS[number];
  if (kind === undefined) throw parseError(path, `${JSON.stringify(key)} has the unknown type ${number}`);
  return kind;
}

async function readScalar(reader: ByteReader, path: string, kind: NumberKind | "bool" | "text", key: string) {
  if (kind === "text") return reader.text(key, MOST.textBytes);
  if (kind !== "bool") return reader.number(kind);
  const value = await reader.number("uint8");
  if (value > 1) throw parseError(path, `${JSON.stringify(key)} is no boolean: ${value}`);
  return value === 1;
}

/** Sizes come innermost first. */
async function readTensor(reader: ByteReader, path: string): Promise<Omit<TensorInfo, "bytes">> {
  const name = await reader.text("a tensor's name", MOST.keyBytes);
  const rank = await reader.number("uint32");
  if (rank > 4) throw parseError(path, `its tensor ${JSON.stringify(name)} has ${rank} dimensions`);
  const dims: number[] = [];
  for (let i = 0; i < rank; i++) dims.unshift(await reader.size(`a size of ${name}`));
  const type = await reader.number("uint32");
  const format = FORMAT_OF[type];
  if (format === undefined)
    throw unsupported(
      `${path} holds the tensor ${JSON.stringify(name)} in ggml's type ${type}`,
      `the formats read are ${Object.values(FORMAT_OF).join(", ")}`,
      "Take another quantisation of the model, such as Q8_0 or Q4_K_M.",
      { tensor: name, type },
    );
  return { name, format, dims, offset: await reader.size(`the offset of ${name}`) };
}
