import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { abortError, type DiffuSpecError, isDiffuSpecError } from "@diffuspec/contracts";
import { altered, missing } from "./errors.ts";

/** What is used of the global fetch. */
export type Fetch = (
  url: string,
  init: { method?: string; headers?: Record<string, string>; redirect?: "manual"; signal: AbortSignal },
) => Promise<Response>;

export interface How {
  readonly fetch: Fetch;
  readonly signal: AbortSignal | undefined;
  readonly idleMs: number;
  /** How the reader goes on where a transfer broke; default "Call download() again". */
  readonly again?: string;
  /** What else the reader may do where the source gives nothing. */
  readonly instead?: string;
}

const MAX_TEXT_BYTES = 2 ** 20;

/** A small text file. @throws ERR_MODEL_FILE_MISSING, ERR_MODEL_FILE_ALTERED, ERR_ABORTED */
export async function fetchText(url: URL, file: string, how: How): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  await receive(url, file, {}, how, async (response) => {
    if (response.status !== 200) throw statusError(url, file, response, how);
    return async (chunk) => {
      bytes += chunk.length;
      if (bytes > MAX_TEXT_BYTES) throw altered(file, "size in bytes", `at most ${MAX_TEXT_BYTES}`, "more");
      chunks.push(chunk);
    };
  });
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * Fetches into a file, going on behind what it already holds.
 *
 * @param bytes the size the file shall have; no more is ever written
 * @returns whether bytes of an earlier call were kept
 * @throws ERR_MODEL_FILE_MISSING, ERR_MODEL_FILE_ALTERED, ERR_ABORTED; what was written stays
 */
export async function fetchToFile(
  url: URL,
  file: string,
  path: string,
  bytes: number,
  how: How,
  report: (done: number) => void,
): Promise<{ resumed: boolean }> {
  const held = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  if (held === bytes && held > 0) return { resumed: true };
  const from = held < bytes ? held : 0;
  const out = await open(path, constants.O_WRONLY | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0));
  let at = from;
  let resumed = false;
  let refused = false;
  const beginAnew = async () => {
    at = 0;
    await out.truncate(0);
  };
  try {
    if (from === 0) await beginAnew();
    const headers = from > 0 ? { range: `bytes=${from}-` } : {};
    await receive(url, file, { headers }, how, async (response) => {
      resumed = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${from}-`) === true;
      refused = from > 0 && !resumed && (response.status === 206 || response.status === 416);
      if (!resumed && !refused && response.status !== 200) throw statusError(url, file, response, how);
      if (!resumed) await beginAnew();
      if (refused) return undefined;
      report(at);
      return async (chunk) => {
        if (at + chunk.length > bytes) {
          await beginAnew();
          throw altered(file, "size in bytes", bytes, "more", "The source holds another version than the manifest.");
        }
        for (let done = 0; done < chunk.length; ) {
          const { bytesWritten } = await out.write(chunk, done, chunk.length - done, at);
          done += bytesWritten;
          at += bytesWritten;
        }
        report(at);
      };
    });
    await out.sync();
  } finally {
    await out.close();
  }
  if (refused) return fetchToFile(url, file, path, bytes, how, report);
  if (at < bytes)
    throw missing(
      file,
      `${url.host} ended after ${at} of ${bytes} bytes`,
      { url: url.href, bytes, found: at },
      goOn(how),
    );
  return { resumed };
}

const againOf = ({ again = "Call download() again" }: How) => again;
const goOn = (how: How) => `${againOf(how)}; it goes on where it stopped.`;

type Sink = (chunk: Uint8Array) => Promise<void>;

/**
 * One request: it answers within idleMs, bytes come within idleMs of each other, and every failure of the network becomes
 * an error of ours; errors of `begin` and of its sink (a full disk) stay what they are. No sink: the body is not wanted.
 */
export async function receive(
  url: URL,
  file: string,
  { method, headers }: { readonly method?: string; readonly headers?: Record<string, string> },
  how: How,
  begin: (response: Response) => Promise<Sink | undefined>,
): Promise<void> {
  const { fetch, signal, idleMs } = how;
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  signal?.addEventListener("abort", onAbort, { once: true });
  let idle = false;
  const onIdle = () => {
    idle = true;
    stop.abort();
  };
  let ownError: unknown;
  const own = <T>(work: Promise<T>) =>
    work.catch((error: unknown) => {
      ownError = error;
      throw error;
    });
  let timer = setTimeout(onIdle, idleMs);
  try {
    if (signal?.aborted) throw abortError(signal);
    // Compressed transfer would make ranges and sizes speak of other bytes.
    const init = {
      ...(method !== undefined && { method }),
      headers: { "accept-encoding": "identity", ...headers },
      signal: stop.signal,
    };
    const response = await fetch(url.href, init);
    const sink = await own(begin(response));
    if (!sink || !response.body) return;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      await own(sink(chunk));
      if (signal?.aborted) throw abortError(signal);
      timer = setTimeout(onIdle, idleMs);
    }
  } catch (cause) {
    if (cause === ownError || isDiffuSpecError(cause)) throw cause;
    if (signal?.aborted) throw abortError(signal);
    const why = idle ? `${url.host} sent nothing for ${idleMs} ms` : `${url.host} cannot be reached (${reason(cause)})`;
    const otherwise = how.instead ?? "Or copy the model directory here from another machine.";
    const next = `Check the network; then ${againOf(how).replace(/^./, (c) => c.toLowerCase())}. ${otherwise}`;
    throw missing(file, why, { url: url.href }, next, cause);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    // Ends the transfer where we left early; nothing where it is done.
    stop.abort();
  }
}

/** fetch says only "fetch failed"; the cause below it says why. */
function reason(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = typeof inner === "object" && inner !== null && "code" in inner ? inner.code : undefined;
  return String(code ?? (inner instanceof Error ? inner.message : inner));
}

export function statusError(url: URL, file: string, { status }: Response, how: How): DiffuSpecError {
  const closed = status === 401 || status === 403;
  const next = closed
    ? "It wants an account with access: accept its licence there if it has one, and set HF_TOKEN."
    : status === 404
      ? "Check the model's name and the base URL."
      : `${againOf(how)}, or check the rights to that model.`;
  const why = `${url.href} answered ${status}`;
  return missing(file, why, { url: url.href, status }, how.instead ? `${next} ${how.instead}` : next);
}
