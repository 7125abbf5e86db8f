import { mkdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { abortError, isDiffuSpecError } from "@diffuspec/contracts";
import { isObject } from "./check.ts";
import { type DownloadProgress, placeFor } from "./download.ts";
import { altered, missing, notAnIndex, optionError } from "./errors.ts";
import { type Fetch, fetchToFile, type How } from "./fetch-file.ts";
import { digestFile } from "./hash.ts";
import { askHub, compareFacts, type Hub, type HubFacts, hubFetch, resolveUrl } from "./hub.ts";
import { pathFault } from "./paths.ts";
import type { HubFile, HubFiles } from "./registry-types.ts";

export interface PullOptions {
  readonly source: HubFiles;
  /** Where to; made where it is not there. */
  readonly dir: string;
  readonly hub: Hub;
  /** Used in place of the global fetch. */
  readonly fetch?: Fetch;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** Longest wait for an answer or for the next bytes, milliseconds. */
  readonly idleMs?: number;
  /** How often a transfer that broke, and had brought something, is taken up again within this call. */
  readonly retries?: number;
  /** Pause before that, milliseconds. */
  readonly retryMs?: number;
  /** What else the reader may do where the hub does not give the files; ends the message of such an error. */
  readonly instead?: string;
}

export const PULL_DEFAULTS = { idleMs: 30_000, retries: 5, retryMs: 1000 } as const;

/** By what a fetched file was held to be the right one; "size" where neither registry nor hub knows a hash. */
export type PullCheck = "registry sha256" | "hub sha256" | "hub git sha1" | "size";

export interface PulledFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly check: PullCheck;
  /** False where it was there already. */
  readonly fetched: boolean;
}

interface Wanted {
  readonly file: HubFile;
  readonly url: URL;
  readonly bytes: number;
  readonly facts: HubFacts;
}

/**
 * Brings files of a hub repository into a directory. Each is fetched into FILE.part, taken up again where it broke, checked,
 * and then renamed: under its own name there is never a part of a file. Files that are there and right stay.
 *
 * @throws ERR_MODEL_FILE_MISSING (unreachable, not found, no access, cut off: call again to go on), ERR_MODEL_FILE_ALTERED
 *   (wrong size or hash), ERR_PARSE (an index of shards), ERR_OPTION, ERR_ABORTED (what was fetched stays)
 */
export async function pullFiles(options: PullOptions): Promise<PulledFile[]> {
  const { source, hub, signal, instead, onProgress } = options;
  for (const name of ["idleMs", "retries", "retryMs"] as const)
    if (
      options[name] !== undefined &&
      !(Number.isFinite(options[name]) && options[name] >= (name === "idleMs" ? 1 : 0))
    )
      throw optionError(name, "it is a number of at least 0 (idleMs: 1)", options[name]);
  if (signal?.aborted) throw abortError(signal);
  const { idleMs } = { ...PULL_DEFAULTS, ...options };
  const how: How = {
    fetch: options.fetch ?? globalThis.fetch,
    signal,
    idleMs,
    again: "Run the same again",
    ...(instead !== undefined && { instead }),
  };
  const ask = async (file: HubFile): Promise<Wanted> => {
    const url = resolveUrl(hub, source, file.path);
    const facts = await askHub(url, file.path, hub, how);
    compareFacts(file.path, file, facts);
    const bytes = facts.bytes ?? file.bytes;
    if (bytes === undefined) throw missing(file.path, `${url.host} does not say its size`, { url: url.href }, instead);
    return { file, url, bytes, facts };
  };
  const wanted: Wanted[] = [await ask(source.files[0]!)]; // where the hub has nothing, no empty folder is left
  await mkdir(options.dir, { recursive: true });
  const dir = await realpath(options.dir);
  const pulled = new Map<string, PulledFile>();
  for (const [i, file] of source.files.entries()) {
    const one = i === 0 ? wanted[0]! : await ask(file);
    if (i > 0) wanted.push(one);
    if (!file.shards) continue;
    pulled.set(file.path, await bring(dir, one, options, how, () => {}));
    const named = await shardsOf(dir, file.path);
    for (const path of named) if (!source.files.some((other) => other.path === path)) wanted.push(await ask({ path }));
  }

  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const out: PulledFile[] = [];
  for (const one of wanted) {
    const { path } = one.file;
    const report = (fileDone: number) =>
      onProgress?.({ file: path, fileDone, fileBytes: one.bytes, done: done + fileDone, total });
    out.push(pulled.get(path) ?? (await bring(dir, one, options, how, report)));
    report(one.bytes);
    done += one.bytes;
  }
  return out;
}

async function bring(
  dir: string,
  wanted: Wanted,
  options: PullOptions,
  how: How,
  report: (done: number) => void,
): Promise<PulledFile> {
  const { file, url, bytes } = wanted;
  const path = await placeFor(dir, file.path);
  const here = await sizeOf(path);
  if (here === bytes) {
    const found = await verify(path, wanted, how.signal);
    if ("check" in found && found.check !== "size") return { ...found, fetched: false };
  }
  const part = `${path}.part`;
  const fetching = { ...how, fetch: hubFetch(options.hub, how.fetch) };
  // A part that no hash will be held against may be of another version: it is not gone on from.
  if (checkOf(wanted) === "size") await rm(part, { force: true });
  for (let again = false; ; again = true) {
    const { resumed } = await persistently(part, options, how.signal, () =>
      fetchToFile(url, file.path, part, bytes, fetching, report),
    );
    const found = await verify(part, wanted, how.signal);
    if ("check" in found) {
      await rename(part, path);
      return { ...found, fetched: true };
    }
    await rm(part, { force: true });
    // What was there before this call may have been of another version; once more from the beginning.
    if (again || !resumed)
      throw altered(
        file.path,
        found.what,
        found.expected,
        found.actual,
        "Nothing was kept. The hub holds another version than the registry, or the way there alters files.",
      );
  }
}

/** Takes a broken transfer up again as long as each try brings something. */
async function persistently<T>(
  part: string,
  options: PullOptions,
  signal: AbortSignal | undefined,
  transfer: () => Promise<T>,
): Promise<T> {
  const { retries, retryMs } = { ...PULL_DEFAULTS, ...options };
  for (let tries = 0; ; tries++) {
    const before = (await sizeOf(part)) ?? 0;
    try {
      return await transfer();
    } catch (error) {
      const brought = ((await sizeOf(part)) ?? 0) > before;
      if (!brought || tries >= retries || !isDiffuSpecError(error) || error.code !== "ERR_MODEL_FILE_MISSING")
        throw error;
      await wait(retryMs, undefined, signal && { signal }).catch(() => {
        throw abortError(signal);
      });
    }
  }
}

const checkOf = ({ file, facts }: Wanted): PullCheck => {
  if (file.sha256 !== undefined) return "registry sha256";
  if (facts.sha256 !== undefined) return "hub sha256";
  return facts.gitSha1 !== undefined ? "hub git sha1" : "size";
};

type Verified =
  | Omit<PulledFile, "fetched">
  | { readonly what: string; readonly expected: unknown; readonly actual: unknown };

async function verify(path: string, wanted: Wanted, signal: AbortSignal | undefined): Promise<Verified> {
  const { file, facts, bytes } = wanted;
  const check = checkOf(wanted);
  const found = await digestFile(path, signal);
  if (found.bytes !== bytes) return { what: "size in bytes", expected: bytes, actual: found.bytes };
  const expected = file.sha256 ?? facts.sha256;
  if (expected !== undefined && found.sha256 !== expected) return { what: "SHA-256", expected, actual: found.sha256 };
  if (check === "hub git sha1" && found.gitSha1 !== facts.gitSha1)
    return { what: "git hash", expected: facts.gitSha1, actual: found.gitSha1 };
  return { path: file.path, bytes, sha256: found.sha256, check };
}

/** The files an index of safetensors names; they lie beside it. */
async function shardsOf(dir: string, index: string): Promise<string[]> {
  const path = await placeFor(dir, index);
  let map: unknown;
  try {
    map = (JSON.parse(await readFile(path, "utf8")) as { weight_map?: unknown }).weight_map;
  } catch (cause) {
    throw notAnIndex(index, (cause as Error).message);
  }
  if (!isObject(map)) throw notAnIndex(index, "it has no weight_map");
  const below = index.includes("/") ? index.slice(0, index.lastIndexOf("/") + 1) : "";
  const names = [...new Set(Object.values(map))];
  if (names.length === 0 || names.length > 500) throw notAnIndex(index, `it names ${names.length} files`);
  return names.map((name) => {
    if (
      typeof name !== "string" ||
      name.includes("/") ||
      pathFault(name) !== undefined ||
      !name.endsWith(".safetensors")
    )
      throw notAnIndex(index, `it names the file ${JSON.stringify(name)}`);
    return below + name;
  });
}

const sizeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
