import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import type { ElementType } from "../onnx/model.ts";
import type { StoredTensor, WeightIndex } from "./weight-index.ts";

/** A weight file being written, tensor after tensor, each at a multiple of 64 bytes. */
export interface WeightFile extends WeightIndex {
  has(name: string): boolean;
  /** Writes a whole tensor, given at once or in pieces. @throws ERR_CONTRACT for a second one of that name */
  add(
    name: string,
    type: ElementType,
    dims: readonly number[],
    data: ArrayBufferView | AsyncIterable<ArrayBufferView>,
  ): Promise<void>;
  close(): Promise<void>;
}

export interface WeightFileOptions {
  /** What an earlier run finished; whatever the file holds behind it is cut off. */
  readonly finished?: readonly StoredTensor[];
  /** Called after the tensor's last byte was written. */
  readonly onAdded?: (tensor: StoredTensor) => Promise<void>;
}

const ALIGNMENT = 64;

export async function createWeightFile(path: string, options: WeightFileOptions = {}): Promise<WeightFile> {
  const { finished = [], onAdded } = options;
  const tensors = new Map(finished.map((tensor) => [tensor.name, tensor]));
  const file: FileHandle = await open(path, finished.length > 0 ? "r+" : "w");
  let end = finished.reduce((most, { offset, length }) => Math.max(most, offset + length), 0);
  await file.truncate(end);

  return {
    location: basename(path),
    tensors,
    has: (name) => tensors.has(name),
    async add(name, type, dims, data) {
      if (tensors.has(name)) throw twice(name);
      const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      let at = offset;
      for await (const piece of ArrayBuffer.isView(data) ? [data] : data) {
        await writeAll(file, new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength), at);
        at += piece.byteLength;
      }
      const tensor = { name, type, dims, offset, length: at - offset };
      end = at;
      tensors.set(name, tensor);
      await onAdded?.(tensor);
    },
    close: () => file.close(),
  };
}

/** One write may take fewer bytes than it was given. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

const twice = (name: string) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The tensor ${name} was stored twice`,
    why: "a weight file names each tensor once",
    next: "Fix the caller.",
  });
