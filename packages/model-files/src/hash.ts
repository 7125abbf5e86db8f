import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { abortError } from "@diffuspec/contracts";

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** SHA-256 of a file, read in chunks. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    if (signal?.aborted) throw abortError(signal);
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** The same with git's hash of a blob, which hubs give for small files. */
export async function digestFile(
  path: string,
  signal?: AbortSignal,
): Promise<{ bytes: number; sha256: string; gitSha1: string }> {
  const whole = createHash("sha256");
  const { size } = await stat(path);
  const blob = createHash("sha1").update(`blob ${size}\0`);
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    if (signal?.aborted) throw abortError(signal);
    whole.update(chunk);
    blob.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: whole.digest("hex"), gitSha1: blob.digest("hex") };
}
