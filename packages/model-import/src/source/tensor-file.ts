import { type FileHandle, open } from "node:fs/promises";
import { parseError } from "../errors.ts";
import { dequantise, FORMATS, type FormatName } from "./dequantise.ts";

/** A tensor as a file's header describes it, checked against the file's size. */
export interface TensorInfo<F extends string = FormatName> {
  readonly name: string;
  readonly format: F;
  /** Outermost first, as in PyTorch; 1 or 2 sizes. */
  readonly dims: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Values of a tensor; a vector counts as one row. */
export const columnsOf = ({ dims }: TensorInfo): number => dims.at(-1) ?? 1;
export const rowsOf = ({ dims }: TensorInfo): number => dims.slice(0, -1).reduce((a, b) => a * b, 1);

/** A file of tensors, opened. */
export interface TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** float32 [count, columns] */
  readRows(tensor: TensorInfo, first: number, count: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Reads rows from an open file; both formats keep a row's bytes together. */
export async function readRows(
  file: FileHandle,
  path: string,
  tensor: TensorInfo,
  first: number,
  count: number,
): Promise<Float32Array> {
  const format = FORMATS[tensor.format];
  const rowBytes = (columnsOf(tensor) / format.values) * format.bytes;
  const bytes = new Uint8Array(count * rowBytes);
  await readFully(file, path, bytes, tensor.offset + first * rowBytes);
  return dequantise(format, bytes);
}

/** @throws ERR_PARSE where the file ends before the buffer is full */
export async function readFully(file: FileHandle, path: string, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw parseError(path, `it ends at byte ${position + done}, inside what its header describes`);
    done += bytesRead;
  }
}

/** Opens a regular file; a header that cannot be read closes it again. */
export async function openWith<T>(path: string, read: (file: FileHandle, size: number) => Promise<T>): Promise<T> {
  const file = await open(path, "r");
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw parseError(path, "it is no regular file");
    return await read(file, stats.size);
  } catch (error) {
    await file.close();
    throw error;
  }
}

const MOST_TENSORS = 65_536;

/** Values and bytes of a format's blocks. */
export type BlockSizes<F extends string> = Readonly<Record<F, { readonly values: number; readonly bytes: number }>>;

/**
 * Holds a header against the file: sizes fit the format, every tensor lies inside the data, and no two share a byte.
 *
 * @param dataStart first byte that may belong to a tensor
 * @throws ERR_PARSE
 */
export function checkTensors<F extends string>(
  path: string,
  tensors: readonly TensorInfo<F>[],
  dataStart: number,
  size: number,
  blocks: BlockSizes<F>,
): void {
  if (tensors.length > MOST_TENSORS) throw parseError(path, `it names ${tensors.length} tensors`);
  for (const { name, format, dims, offset, bytes } of tensors) {
    const refuse = (why: string) => parseError(path, `its tensor ${JSON.stringify(name)} ${why}`, { tensor: name });
    if (dims.length > 4) throw refuse(`has ${dims.length} dimensions`);
    let count = 1;
    for (const dim of dims) {
      if (!Number.isSafeInteger(dim) || dim < 1) throw refuse(`has the size ${dim}`);
      count *= dim;
      if (!Number.isSafeInteger(count)) throw refuse("has more values than a file can hold");
    }
    const block = blocks[format];
    if ((dims.at(-1) ?? 1) % block.values !== 0) throw refuse(`has rows that are no whole blocks of ${format}`);
    if ((count / block.values) * block.bytes !== bytes)
      throw refuse(`has ${bytes} bytes and needs ${(count / block.values) * block.bytes}`);
    if (!Number.isSafeInteger(offset) || offset < dataStart || offset + bytes > size)
      throw refuse(`lies at bytes ${offset} to ${offset + bytes}, and the data at ${dataStart} to ${size}`);
  }
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < sorted.length; i++)
    if (sorted[i - 1]!.offset + sorted[i - 1]!.bytes > sorted[i]!.offset)
      throw parseError(
        path,
        `its tensors ${JSON.stringify(sorted[i - 1]!.name)} and ${JSON.stringify(sorted[i]!.name)} overlap`,
      );
}
