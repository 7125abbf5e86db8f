import type { FileHandle } from "node:fs/promises";
import { parseError } from "../errors.ts";
import { FORMATS, type FormatName } from "./dequantise.ts";
import {
  type BlockSizes,
  checkTensors,
  openWith,
  readFully,
  readRows,
  type TensorFile,
  type TensorInfo,
} from "./tensor-file.ts";

/** No model's header comes near; the reference reader allows as much. */
const MOST_HEADER_BYTES = 100 * 2 ** 20;
const FLOATS = { F32: FORMATS.F32, F16: FORMATS.F16, BF16: FORMATS.BF16 };

/**
 * Opens a safetensors file of floats: eight bytes of header length, a JSON header, the data.
 * https://github.com/huggingface/safetensors#format
 *
 * @throws ERR_PARSE; nothing is allocated by a size that was not first held against the file's
 */
export function openSafetensors(path: string): Promise<TensorFile> {
  return openWith(path, async (file, size) => {
    const { tensors } = await readSafetensors<FormatName>(
      file,
      path,
      size,
      FLOATS as unknown as BlockSizes<FormatName>,
    );
    return {
      path,
      tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
      readRows: (tensor, first, count) => readRows(file, path, tensor, first, count),
      close: () => file.close(),
    };
  });
}

/** The header of a safetensors file, checked; tensors of other types than `types` are refused. @throws ERR_PARSE */
export async function readSafetensors<F extends string>(
  file: FileHandle,
  path: string,
  size: number,
  types: BlockSizes<F>,
): Promise<{ readonly tensors: readonly TensorInfo<F>[]; readonly metadata: Readonly<Record<string, unknown>> }> {
  if (size < 8) throw parseError(path, `it has ${size} bytes, fewer than any safetensors file`);
  const head = new Uint8Array(8);
  await readFully(file, path, head, 0);
  const length = new DataView(head.buffer).getBigUint64(0, true);
  if (length > BigInt(MOST_HEADER_BYTES) || 8n + length > BigInt(size))
    throw parseError(path, `it claims a header of ${length} bytes and has ${size} in all`);
  const bytes = new Uint8Array(Number(length));
  await readFully(file, path, bytes, 8);
  const start = 8 + bytes.length;
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw parseError(path, "its header is no JSON", {}, cause);
  }
  if (!isObject(header)) throw parseError(path, "its header is no object");
  const tensors: TensorInfo<F>[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const refuse = (why: string) => parseError(path, `its tensor ${JSON.stringify(name)} ${why}`, { tensor: name });
    if (!isObject(entry)) throw refuse("is not described by an object");
    const { dtype, shape, data_offsets: range } = entry;
    if (typeof dtype !== "string" || !Object.hasOwn(types, dtype))
      throw refuse(`has the type ${JSON.stringify(dtype)}; ${Object.keys(types).join(", ")} are read`);
    if (!isSizes(shape)) throw refuse("has no shape");
    if (!isSizes(range) || range.length !== 2 || range[0]! > range[1]!) throw refuse("has no data_offsets");
    tensors.push({ name, format: dtype as F, dims: shape, offset: start + range[0]!, bytes: range[1]! - range[0]! });
  }
  checkTensors(path, tensors, start, size, types);
  const held = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  if (start + held !== size) throw parseError(path, `${size - start - held} of its bytes belong to no tensor`);
  const metadata = header.__metadata__ ?? {};
  if (!isObject(metadata)) throw parseError(path, "its __metadata__ is no object");
  return { tensors, metadata };
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 8 && value.every((v) => Number.isSafeInteger(v) && v >= 0);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
