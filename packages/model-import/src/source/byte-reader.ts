import type { FileHandle } from "node:fs/promises";
import { parseError } from "../errors.ts";
import { readFully } from "./tensor-file.ts";

/** Little-endian values from a file, one after another, through a window that never exceeds what was asked for. */
export interface ByteReader {
  /** Bytes read so far. */
  readonly position: number;
  /** @throws ERR_PARSE where the file ends first */
  number(kind: NumberKind): Promise<number>;
  /** An unsigned 64-bit integer below 2^53. @throws ERR_PARSE */
  size(what: string): Promise<number>;
  /** UTF-8 with its length in front. @throws ERR_PARSE where it is longer than `most` or the rest of the file */
  text(what: string, most: number): Promise<string>;
  /** @throws ERR_PARSE unless `count` things of at least `bytes` bytes fit in the rest of the file */
  expect(count: number, bytes: number, what: string): void;
}

const KINDS = {
  uint8: [1, (view: DataView, at: number) => view.getUint8(at)],
  int8: [1, (view: DataView, at: number) => view.getInt8(at)],
  uint16: [2, (view: DataView, at: number) => view.getUint16(at, true)],
  int16: [2, (view: DataView, at: number) => view.getInt16(at, true)],
  uint32: [4, (view: DataView, at: number) => view.getUint32(at, true)],
  int32: [4, (view: DataView, at: number) => view.getInt32(at, true)],
  float32: [4, (view: DataView, at: number) => view.getFloat32(at, true)],
  float64: [8, (view: DataView, at: number) => view.getFloat64(at, true)],
  uint64: [8, (view: DataView, at: number) => Number(view.getBigUint64(at, true))],
  int64: [8, (view: DataView, at: number) => Number(view.getBigInt64(at, true))],
} as const;

export type NumberKind = keyof typeof KINDS;
export const bytesOf = (kind: NumberKind): number => KINDS[kind][0];

const WINDOW = 1 << 18;

export function createByteReader(file: FileHandle, path: string, size: number): ByteReader {
  const decoder = new TextDecoder();
  let window = new Uint8Array(0);
  let view = new DataView(window.buffer);
  let start = 0; // of the window, in the file
  let at = 0; // in the window

  /** Makes `count` bytes from here on part of the window; `count` was held against the file's size. */
  async function need(count: number): Promise<void> {
    if (window.length - at >= count) return;
    start += at;
    at = 0;
    window = new Uint8Array(Math.min(Math.max(count, WINDOW), size - start));
    view = new DataView(window.buffer);
    await readFully(file, path, window, start);
  }
  const expect = (count: number, bytes: number, what: string) => {
    const left = size - start - at;
    if (!(count * bytes <= left))
      throw parseError(path, `${what} needs ${count} x ${bytes} bytes and ${left} are left`);
  };
  const number = async (kind: NumberKind) => {
    const [bytes, get] = KINDS[kind];
    if (window.length - at < bytes) {
      expect(1, bytes, "a value");
      await need(bytes);
    }
    at += bytes;
    return get(view, at - bytes);
  };
  const wholeSize = async (what: string) => {
    const value = await number("uint64");
    if (!Number.isSafeInteger(value)) throw parseError(path, `${what} is ${value}`);
    return value;
  };

  return {
    get position() {
      return start + at;
    },
    number,
    expect,
    size: wholeSize,
    async text(what, most) {
      const length = await wholeSize(`the length of ${what}`);
      if (length > most) throw parseError(path, `${what} claims ${length} bytes; at most ${most} are read`);
      expect(1, length, what);
      await need(length);
      at += length;
      return decoder.decode(window.subarray(at - length, at));
    },
  };
}
