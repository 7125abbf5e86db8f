import { mkdir, realpath, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { abortError } from "@diffuspec/contracts";
import { modelDir } from "./cache.ts";
import { altered, errnoOf, missing, optionError } from "./errors.ts";
import { type Fetch, fetchText, fetchToFile } from "./fetch-file.ts";
import { sha256, sha256File } from "./hash.ts";
import { type FileEntry, MANIFEST_NAME, type Manifest, parseManifest, writeAtomically } from "./manifest.ts";
import { checkModelName, isInside } from "./paths.ts";

/** A file of a hub that has no manifest of ours. */
export interface DownloadFile extends FileEntry {
  /** Path in the model directory. */
  readonly path: string;
  /** http or https. */
  readonly url: string;
}

export interface DownloadProgress {
  /** Path of the file being fetched. */
  readonly file: string;
  readonly fileDone: number;
  readonly fileBytes: number;
  /** Bytes of all files, those already there included. */
  readonly done: number;
  readonly total: number;
}

interface CommonOptions {
  /** "org/name" */
  readonly name: string;
  /** Where to; the cache's directory of that name by default. */
  readonly dir?: string;
  /** Used in place of the global fetch. */
  readonly fetch?: Fetch;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** Longest wait for an answer or for the next bytes, milliseconds. */
  readonly idleMs?: number;
}

/** Either a base URL under which manifest.json and its files lie, or the files themselves. */
export type DownloadOptions = CommonOptions &
  (
    | { readonly baseUrl: string; readonly manifestSha256?: string; readonly files?: never }
    | { readonly files: readonly DownloadFile[]; readonly baseUrl?: never; readonly manifestSha256?: never }
  );

export const DOWNLOAD_DEFAULTS = { idleMs: 30_000 } as const;

/**
 * Brings a model into a directory. Every file is fetched into FILE.part, continued from there when it was cut off before,
 * checked, and then renamed; manifest.json comes last, so that a half-fetched model cannot be opened. Files already
 * there and right are not fetched again.
 *
 * @returns the directory, for openModel
 * @throws ERR_OPTION, ERR_PARSE (manifest), ERR_MODEL_FILE_MISSING (no network, not found, cut off: call again to go on),
 *   ERR_MODEL_FILE_ALTERED (wrong size or hash), ERR_ABORTED (what was fetched stays)
 */
export async function download(options: DownloadOptions): Promise<{ dir: string; manifest: Manifest }> {
  const { onProgress, signal } = options;
  checkModelName(options.name);
  const idleMs = options.idleMs ?? DOWNLOAD_DEFAULTS.idleMs;
  if (!(Number.isFinite(idleMs) && idleMs > 0))
    throw optionError("idleMs", "it is a time above 0, in milliseconds", idleMs);
  const how = { fetch: options.fetch ?? globalThis.fetch, signal, idleMs };
  if (signal?.aborted) throw abortError(signal);

  const { manifest, text, urlOf } = await whatToFetch(options, how);
  await mkdir(options.dir ?? modelDir(options.name), { recursive: true });
  const dir = await realpath(options.dir ?? modelDir(options.name));
  const total = Object.values(manifest.files).reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const [file, entry] of Object.entries(manifest.files)) {
    const path = await placeFor(dir, file);
    const report = (fileDone: number) =>
      onProgress?.({ file, fileDone, fileBytes: entry.bytes, done: done + fileDone, total });
    if (!(await isRight(path, entry, signal))) await bring(file, path, entry, urlOf(file), how, report);
    report(entry.bytes);
    done += entry.bytes;
  }
  await writeAtomically(join(dir, MANIFEST_NAME), text);
  return { dir, manifest };
}

type How = { fetch: Fetch; signal: AbortSignal | undefined; idleMs: number };

async function whatToFetch(options: DownloadOptions, how: How) {
  if (options.files) {
    const text = `${JSON.stringify({
      format: 1,
      name: options.name,
      files: Object.fromEntries(options.files.map(({ path, bytes, sha256 }) => [path, { bytes, sha256 }])),
    })}\n`;
    const urls = new Map(options.files.map((file) => [file.path, checkUrl(file.url, "files")]));
    if (urls.size !== options.files.length) throw optionError("files", "a path is listed twice");
    return { manifest: parseManifest(text, "made from files"), text, urlOf: (file: string) => urls.get(file)! };
  }
  const base = checkUrl(options.baseUrl, "baseUrl");
  const at = (path: string) => {
    const url = new URL(base);
    url.pathname = `${base.pathname.replace(/\/$/, "")}/${path.split("/").map(encodeURIComponent).join("/")}`;
    return url;
  };
  const url = at(MANIFEST_NAME);
  const text = await fetchText(url, MANIFEST_NAME, how);
  const found = sha256(new TextEncoder().encode(text));
  if (options.manifestSha256 !== undefined && found !== options.manifestSha256)
    throw altered(MANIFEST_NAME, "SHA-256", options.manifestSha256, found);
  const manifest = parseManifest(text, url.href);
  if (manifest.name !== options.name) throw altered(MANIFEST_NAME, "name", options.name, manifest.name);
  return { manifest, text, urlOf: at };
}

/** Fetches one file; what an older .part made wrong is fetched once more from the beginning. */
async function bring(file: string, path: string, entry: FileEntry, url: URL, how: How, report: (done: number) => void) {
  const part = `${path}.part`;
  for (let again = false; ; again = true) {
    const { resumed } = await fetchToFile(url, file, part, entry.bytes, how, report);
    const found = await sha256File(part, how.signal);
    if (found.bytes === entry.bytes && found.sha256 === entry.sha256) return rename(part, path);
    await rm(part, { force: true });
    if (again || !resumed) {
      const next =
        "Nothing was kept; the source may hold another version than the manifest, or the way there alters files.";
      if (found.bytes !== entry.bytes) throw altered(file, "size in bytes", entry.bytes, found.bytes, next);
      throw altered(file, "SHA-256", entry.sha256, found.sha256, next);
    }
  }
}

/** Makes the directories above a file, and sees that no link among them leads elsewhere. */
export async function placeFor(dir: string, file: string): Promise<string> {
  const path = join(dir, ...file.split("/"));
  await mkdir(dirname(path), { recursive: true });
  const parent = await realpath(dirname(path));
  if (parent !== dir && !isInside(dir, parent)) throw altered(file, "place", `inside ${dir}`, parent);
  return path;
}

async function isRight(path: string, entry: FileEntry, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const found = await sha256File(path, signal);
    return found.bytes === entry.bytes && found.sha256 === entry.sha256;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    if (errnoOf(error) === "EISDIR") throw missing(path, "a directory has its place");
    throw error;
  }
}

function checkUrl(url: unknown, option: string): URL {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol === "http:" || parsed?.protocol === "https:") return parsed;
  throw optionError(option, `${JSON.stringify(url)} is not an http or https URL`, url);
}
