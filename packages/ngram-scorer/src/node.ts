/**
 * What needs Node: ARPA files that are gzip, and estimation by way of the disk. Everything else is in the main entry, which runs in browsers too.
 *
 * @module
 * @example
 * import { readFileSync } from "node:fs";
 * import { readArpaGzip } from "@diffuspec/ngram-scorer/node";
 * const model = readArpaGzip(readFileSync("model.arpa.gz"), { vocabularySize: 4096 });
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { DiffuSpecError } from "@diffuspec/contracts";
import { type ArpaReadOptions, readArpa } from "./arpa-read.ts";
import { type ArpaWriteOptions, arpaLines } from "./arpa-write.ts";
import { optionError } from "./errors.ts";
import { createEstimation } from "./estimate.ts";
import { bytesPerToken, checked, type EstimateOptions, type EstimateWordsOptions } from "./estimate-options.ts";
import type { NgramModel } from "./model.ts";
import { BYTES_PER_NGRAM, createRuns, type RunStore } from "./runs.ts";
import type { Sentence } from "./words.ts";

export interface ArpaGzipOptions extends ArpaReadOptions {
  /** The text may have at most so many bytes when it is unpacked. Default {@link MOST_TEXT_BYTES}. */
  readonly mostBytes?: number;
}

/** 1 GiB. */
export const MOST_TEXT_BYTES = 2 ** 30;

/**
 * {@link readArpa} of a gzip file.
 *
 * @throws ERR_PARSE with the byte of the gzip file where it is no gzip, damaged, cut or unpacks to too much; with line and
 *   byte of the text for what readArpa refuses; ERR_OPTION for a bad `mostBytes`
 */
export function readArpaGzip(bytes: Uint8Array, options: ArpaGzipOptions): NgramModel {
  const { mostBytes = MOST_TEXT_BYTES } = options;
  if (!Number.isInteger(mostBytes) || mostBytes < 1 || mostBytes > 2 ** 32)
    throw optionError(`mostBytes is ${mostBytes}`, "it is an integer in 1..2^32");
  return readArpa(unpack(bytes, mostBytes), options);
}

/** The model as a gzip ARPA file, see {@link arpaLines}. */
export function writeArpaGzip(model: NgramModel, options: ArpaWriteOptions = {}): Uint8Array {
  const parts: Buffer[] = [];
  let part = "";
  for (const line of arpaLines(model, options)) {
    part += `${line}\n`;
    if (part.length < 1 << 20) continue;
    parts.push(Buffer.from(part));
    part = "";
  }
  const packed = gzipSync(Buffer.concat([...parts, Buffer.from(part)]));
  return new Uint8Array(packed.buffer, packed.byteOffset, packed.length);
}

export interface SpillOptions {
  /** Most bytes for the text and its counting at once; the distinct n-grams come beside. Default {@link SPILL_AT}. */
  readonly mostBytes?: number;
  /** Most bytes for the distinct n-grams where the corpus is spilled, 56 each. Default 2^32. */
  readonly mostNgramBytes?: number;
  /** Where a folder is made for the counts, and removed at the end. Default: the system's for temporary files. */
  readonly folder?: string;
}

/** 256 MiB. */
export const SPILL_AT = 2 ** 28;

/**
 * estimateNgramStream() of a corpus larger than memory: each time `mostBytes` are used up, what was read is counted and its
 * counts go to disk; they are merged when the corpus has ended. The model is the same to the bit. Beside `mostBytes`, memory
 * holds every distinct n-gram (up to 56 bytes each); the disk, at most 2 (n + 1) (n + 2) bytes an id.
 *
 * @throws ERR_OPTION as estimateNgram(), where `mostBytes` is not room for 64 ids, and where the n-grams of a spilled corpus
 *   could take more than `mostNgramBytes`; what the file system throws
 */
export function estimateNgramSpilled(
  sequences: AsyncIterable<ArrayLike<number>> | Iterable<ArrayLike<number>>,
  options: EstimateOptions & SpillOptions,
): Promise<NgramModel>;
export function estimateNgramSpilled(
  sentences: AsyncIterable<Sentence> | Iterable<Sentence>,
  options: EstimateWordsOptions & SpillOptions,
): Promise<NgramModel>;
export async function estimateNgramSpilled(
  sequences: AsyncIterable<ArrayLike<number> | Sentence> | Iterable<ArrayLike<number> | Sentence>,
  options: (EstimateOptions | EstimateWordsOptions) & SpillOptions,
): Promise<NgramModel> {
  const settings = checked({ mostBytes: SPILL_AT, ...options });
  const { mostNgramBytes = 2 ** 32 } = options;
  if (!Number.isInteger(mostNgramBytes) || mostNgramBytes < BYTES_PER_NGRAM)
    throw optionError(`mostNgramBytes is ${mostNgramBytes}`, `it is an integer of at least ${BYTES_PER_NGRAM}`);
  const least = 64 * bytesPerToken(settings.order);
  if (settings.mostBytes < least)
    throw optionError(`mostBytes is ${settings.mostBytes}`, `order ${settings.order} takes ${least} at least`);
  let store: FileStore | undefined;
  try {
    const estimation = createEstimation(settings, () => {
      store = createFileStore(options.folder ?? tmpdir());
      return createRuns(settings, store, Math.floor(mostNgramBytes / BYTES_PER_NGRAM));
    });
    for await (const sequence of sequences) estimation.add(sequence);
    return estimation.finish();
  } finally {
    store?.dispose();
  }
}

interface FileStore extends RunStore {
  dispose(): void;
}

function createFileStore(within: string): FileStore {
  const folder = mkdtempSync(join(within, "ngram-"));
  const file = openSync(join(folder, "counts"), "w+");
  let length = 0;
  return {
    append(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const written = writeSync(file, bytes, done, bytes.length - done, length);
        done += written;
        length += written;
      }
    },
    read(into, at) {
      for (let done = 0; done < into.length; ) {
        const found = readSync(file, into, done, into.length - done, at + done);
        if (found === 0) throw new Error(`${folder}/counts ends at byte ${at + done}: something else has cut it`);
        done += found;
      }
    },
    dispose() {
      closeSync(file);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function unpack(bytes: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength });
  } catch (error) {
    const code = codeOf(error);
    if (code === "ERR_BUFFER_TOO_LARGE") throw bad(0, `it unpacks to more than ${maxOutputLength} bytes`, error);
    if (code === "Z_BUF_ERROR") throw bad(bytes.length, "it is cut", error);
    throw bad(firstBad(bytes, maxOutputLength), "it is damaged or no gzip", error);
  }
}

/** zlib does not say where: the byte that ends the shortest beginning it calls damaged rather than cut. */
function firstBad(bytes: Uint8Array, maxOutputLength: number): number {
  let low = 1;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isDamaged(bytes.subarray(0, middle), maxOutputLength)) high = middle;
    else low = middle + 1;
  }
  return high - 1;
}

function isDamaged(bytes: Uint8Array, maxOutputLength: number): boolean {
  try {
    gunzipSync(bytes, { maxOutputLength });
    return false;
  } catch (error) {
    return codeOf(error) !== "Z_BUF_ERROR";
  }
}

const codeOf = (error: unknown) => (error as { code?: string }).code;

const bad = (offset: number, why: string, cause: unknown) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `The gzip file cannot be unpacked at byte ${offset}`,
    why,
    next: "Restore the file, or write it again with writeArpaGzip().",
    details: { offset },
    cause,
  });
