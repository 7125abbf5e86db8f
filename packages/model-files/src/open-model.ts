import type { BigIntStats } from "node:fs";
import { mkdir, readFile, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DiffuSpecError } from "@diffuspec/contracts";
import { defaultCacheDir, modelDir } from "./cache.ts";
import { altered, errnoOf, manifestError, missing, optionError } from "./errors.ts";
import { sha256, sha256File } from "./hash.ts";
import { MANIFEST_NAME, type Manifest, parseManifest, writeAtomically } from "./manifest.ts";
import { containedFile } from "./paths.ts";

export interface OpenModelOptions {
  /** Where models found by name lie, and the marks of "once"; see defaultCacheDir. */
  readonly cacheDir?: string;
  /**
   * "always": every file is hashed at every opening. "once": a file is hashed again only when its size, times or inode
   * differ from those at the last good opening, remembered in cacheDir.
   */
  readonly verify?: "always" | "once";
  readonly signal?: AbortSignal | undefined;
}

export const OPEN_MODEL_DEFAULTS = { verify: "always" } as const;

/** An opened model directory: every file of the manifest is there and is what the manifest says. */
export interface Model {
  /** Real path of the directory. */
  readonly dir: string;
  readonly manifest: Manifest;
  /** Real path of a file. @throws ERR_MODEL_FILE_MISSING when the manifest does not list it */
  path(name: string): string;
  /** A file's bytes, hashed again as they are read. @throws ERR_MODEL_FILE_MISSING, ERR_MODEL_FILE_ALTERED */
  read(name: string): Promise<Uint8Array>;
  /** A text file. @throws also ERR_PARSE where it is not UTF-8 */
  readText(name: string): Promise<string>;
  /** A JSON file. @throws also ERR_PARSE */
  readJson(name: string): Promise<unknown>;
}

/**
 * Opens a model and checks it.
 *
 * @param dirOrName a file URL; a path, absolute or beginning with "./" or "../"; or a name "org/name" in the cache
 * @throws ERR_OPTION, ERR_MODEL_UNKNOWN (no such directory), ERR_PARSE (manifest), ERR_MODEL_FILE_MISSING,
 *   ERR_MODEL_FILE_ALTERED (size, hash, kind, or a link that leads out of the directory), ERR_ABORTED
 */
export async function openModel(dirOrName: string | URL, options: OpenModelOptions = {}): Promise<Model> {
  const verify = options.verify ?? OPEN_MODEL_DEFAULTS.verify;
  if (verify !== "always" && verify !== "once") throw optionError("verify", 'it is "always" or "once"', verify);
  const cacheDir = options.cacheDir ?? defaultCacheDir();
  const dir = await realDirectory(dirOrName, cacheDir);
  const text = await readManifest(dir);
  const manifest = parseManifest(text, join(dir, MANIFEST_NAME));
  const marks = verify === "once" ? await openMarks(cacheDir, dir, text) : undefined;

  const paths = new Map<string, string>();
  for (const [name, entry] of Object.entries(manifest.files)) {
    const path = await containedFile(dir, name);
    const before = await stat(path, { bigint: true });
    if (before.size !== BigInt(entry.bytes)) throw altered(name, "size in bytes", entry.bytes, before.size);
    if (!marks?.has(name, before)) {
      const found = await sha256File(path, options.signal);
      if (found.sha256 !== entry.sha256) throw altered(name, "SHA-256", entry.sha256, found.sha256);
    }
    marks?.set(name, before);
    paths.set(name, path);
  }
  await marks?.save();

  const path = (name: string) => {
    const found = paths.get(name);
    if (found !== undefined) return found;
    throw missing(
      name,
      `the manifest of ${manifest.name} does not list it`,
      { directory: dir },
      "Use a file it lists.",
    );
  };
  const read = async (name: string) => {
    const bytes = await readFile(path(name));
    const expected = manifest.files[name]!.sha256;
    const found = sha256(bytes);
    if (found !== expected) throw altered(name, "SHA-256", expected, found);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const readAs = async <T>(name: string, kind: string, parse: (text: string) => T): Promise<T> => {
    const bytes = await read(name);
    try {
      return parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new DiffuSpecError({
        code: "ERR_PARSE",
        what: `The model file ${name} is not ${kind}`,
        why: (cause as Error).message,
        next: "Read it with read(), or correct the model.",
        details: { file: name },
        cause,
      });
    }
  };
  return {
    dir,
    manifest,
    path,
    read,
    readText: (name) => readAs(name, "UTF-8 text", (text) => text),
    readJson: (name) => readAs<unknown>(name, "JSON", JSON.parse),
  };
}

/** Where a model lies that is given by path (absolute, or beginning with "./" or "../") or by its name in the cache. */
export const modelPlace = (dirOrName: string, cacheDir?: string): string =>
  isPath(dirOrName) ? resolve(dirOrName) : modelDir(dirOrName, cacheDir);

const isPath = (model: string) => isAbsolute(model) || /^\.\.?([/\\]|$)/.test(model);

async function realDirectory(dirOrName: string | URL, cacheDir: string): Promise<string> {
  const given = dirOrName instanceof URL ? fileURLToPath(dirOrName) : dirOrName;
  const wanted = modelPlace(given, cacheDir);
  try {
    const dir = await realpath(wanted);
    if ((await stat(dir)).isDirectory()) return dir;
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT" && errnoOf(cause) !== "ENOTDIR") throw cause;
  }
  throw new DiffuSpecError({
    code: "ERR_MODEL_UNKNOWN",
    what: `There is no model ${JSON.stringify(String(dirOrName))}`,
    why: `${wanted} is not a directory`,
    next: isPath(given)
      ? "Pass the directory that holds its manifest.json."
      : 'Download it first, or pass a path that begins with "./".',
    details: { model: String(dirOrName), directory: wanted },
  });
}

async function readManifest(dir: string): Promise<string> {
  const path = await containedFile(dir, MANIFEST_NAME);
  const { size } = await stat(path);
  if (size > 2 ** 20) throw manifestError(path, `it has ${size} bytes; a manifest has at most ${2 ** 20}`);
  return readFile(path, "utf8");
}

/** What "once" remembers of a model: per file the facts that change when its content does. */
async function openMarks(cacheDir: string, dir: string, manifestText: string) {
  const key = sha256(new TextEncoder().encode(`${dir}\n${manifestText}`));
  const file = join(cacheDir, "verified", `${key}.json`);
  const facts = (s: BigIntStats) => `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`;
  const now = new Map<string, string>();
  const known = await readFile(file, "utf8")
    .then((text) => new Map<string, unknown>(Object.entries(JSON.parse(text))))
    .catch(() => new Map<string, unknown>());
  return {
    has: (name: string, stats: BigIntStats) => known.get(name) === facts(stats),
    set: (name: string, stats: BigIntStats) => void now.set(name, facts(stats)),
    /** A cache that cannot be written costs time at the next opening, nothing else. */
    async save() {
      if ([...now].every(([name, fact]) => known.get(name) === fact)) return;
      await mkdir(join(cacheDir, "verified"), { recursive: true })
        .then(() => writeAtomically(file, JSON.stringify(Object.fromEntries(now))))
        .catch(() => undefined);
    },
  };
}
