import { parseError } from "../errors.ts";
import type { FormatName } from "./dequantise.ts";
import { checkTensors, openWith, readFully, readRows, type TensorFile, type TensorInfo } from "./tensor-file.ts";

/** No model's header comes near; the reference reader allows as much. */
const MOST_HEADER_BYTES = 100 * 2 ** 20;
const DTYPES: Readonly<Record<string, FormatName>> = { F32: "F32", F16: "F16", BF16: "BF16" };

/**
 * Opens a safetensors file: eight bytes of header length, a JSON header, the data.
 * https://github.com/huggingface/safetensors#format
 *
 * @throws ERR_PARSE; nothing is allocated by a size that was not first held against the file's
 */
export function openSafetensors(path: string): Promise<TensorFile> {
  return openWith(path, async (file, size) => {
    if (size < 8) throw parseError(path, `it has ${size} bytes, fewer than any safetensors file`);
    const head = new Uint8Array(8);
    await readFully(file, path, head, 0);
    const length = new DataView(head.buffer).getBigUint64(0, true);
    if (length > BigInt(MOST_HEADER_BYTES) || 8n + length > BigInt(size))
      throw parseError(path, `it claims a header of ${length} bytes and has ${size} in all`);
    const bytes = new Uint8Array(Number(length));
    await readFully(file, path, bytes, 8);
    const tensors = readHeader(path, bytes, size);
    return {
      path,
      tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
      readRows: (tensor, first, count) => readRows(file, path, tensor, first, count),
      close: () => file.close(),
    };
  });
}

function readHeader(path: string, bytes: Uint8Array, size: number): TensorInfo[] {
  const start = 8 + bytes.length;
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw parseError(path, "its header is no JSON", {}, cause);
  }
  if (!isObject(header)) throw parseError(path, "its header is no object");
  const tensors: TensorInfo[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const refuse = (why: string) => parseError(path, `its tensor ${JSON.stringify(name)} ${why}`, { tensor: name });
    if (!isObject(entry)) throw refuse("is not described by an object");
    const { dtype, shape, data_offsets: range } = entry;
    const format = typeof dtype === "string" && Object.hasOwn(DTYPES, dtype) ? DTYPES[dtype] : undefined;
    if (format === undefined) throw refuse(`has the type ${JSON.stringify(dtype)}; F32, F16 and BF16 are read`);
    if (!isSizes(shape)) throw refuse("has no shape");
    if (!isSizes(range) || range.length !== 2 || range[0]! > range[1]!) throw refuse("has no data_offsets");
    tensors.push({ name, format, dims: shape, offset: start + range[0]!, bytes: range[1]! - range[0]! });
  }
  checkTensors(path, tensors, start, size);
  const held = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  if (start + held !== size) throw parseError(path, `${size - start - held} of its bytes belong to no tensor`);
  return tensors;
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 8 && value.every((v) => Number.isSafeInteger(v) && v >= 0);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
