import { readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { manifestError, optionError } from "./errors.ts";
import { sha256File } from "./hash.ts";
import { checkModelName, isModelName, pathFault } from "./paths.ts";

export const MANIFEST_NAME = "manifest.json";
const MAX_MANIFEST_BYTES = 2 ** 20;
const MAX_FILES = 1000;

export interface FileEntry {
  readonly bytes: number;
  /** 64 hexadecimal digits, lower case. */
  readonly sha256: string;
}

/** What a model directory says about itself. Further fields belong to whoever wrote the model and are kept as they are. */
export interface Manifest {
  readonly format: 1;
  /** "org/name" */
  readonly name: string;
  /** By path relative to the directory, "/" between parts. */
  readonly files: Readonly<Record<string, FileEntry>>;
  /** The listed file that renders conversations (Jinja); absent where the model takes none. */
  readonly chatTemplate?: string;
  readonly [field: string]: unknown;
}

/**
 * Reads and checks the text of a manifest.
 *
 * @param source shown in errors
 * @throws ERR_PARSE
 */
export function parseManifest(text: string, source = MANIFEST_NAME): Manifest {
  if (text.length > MAX_MANIFEST_BYTES) throw manifestError(source, `it is larger than ${MAX_MANIFEST_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text, (key, inner) => {
      if (key === "__proto__") throw new SyntaxError('the key "__proto__" is not allowed');
      return inner;
    });
  } catch (cause) {
    throw manifestError(source, (cause as Error).message, cause);
  }
  const fault = manifestFault(value);
  if (fault !== undefined) throw manifestError(source, fault);
  return value as Manifest;
}

/**
 * Hashes every file under a directory and writes its manifest.json. Skipped are the manifest itself and *.part files.
 *
 * @param rest the model's name and any further fields
 * @throws ERR_OPTION for a bad name, a symbolic link, or a file name that is not portable
 */
export async function createManifest(
  dir: string,
  rest: { readonly name: string; readonly [field: string]: unknown },
): Promise<Manifest> {
  checkModelName(rest.name);
  const files: Record<string, FileEntry> = {};
  for (const path of await listFiles(dir)) files[path] = await sha256File(join(dir, ...path.split("/")));
  const { name, format: _format, files: _files, ...fields } = rest;
  const text = `${JSON.stringify({ format: 1, name, files, ...fields }, null, 2)}\n`;
  const manifest = parseManifest(text, join(dir, MANIFEST_NAME));
  await writeAtomically(join(dir, MANIFEST_NAME), text);
  return manifest;
}

/** Readers see the old file or the new one, never half of one. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, text);
  await rename(part, path);
}

async function listFiles(dir: string, below = ""): Promise<string[]> {
  const out: string[] = [];
  for (const entry of await readdir(join(dir, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (path === MANIFEST_NAME || path.endsWith(".part")) continue;
    const fault = pathFault(path) ?? (entry.isFile() || entry.isDirectory() ? undefined : "it is no regular file");
    if (fault !== undefined) throw optionError(`The file ${JSON.stringify(path)}`, fault, path);
    if (entry.isDirectory()) out.push(...(await listFiles(dir, path)));
    else out.push(path);
  }
  return out.sort();
}

function manifestFault(value: unknown): string | undefined {
  if (!isObject(value)) return "it does not hold an object";
  if (value.format !== 1) return `its format is ${JSON.stringify(value.format)}; this version reads format 1`;
  if (!isModelName(value.name)) return `its name ${JSON.stringify(value.name)} is not of the form org/name`;
  if (!isObject(value.files)) return "files is not an object";
  const paths = Object.keys(value.files);
  if (paths.length === 0 || paths.length > MAX_FILES)
    return `it lists ${paths.length} files; 1 to ${MAX_FILES} are allowed`;
  const folded = new Set<string>();
  for (const path of paths) {
    const fault = pathFault(path) ?? entryFault(value.files[path]);
    if (fault !== undefined) return `the entry ${JSON.stringify(path)} is refused, ${fault}`;
    if (path.toLowerCase() === MANIFEST_NAME || path.endsWith(".part"))
      return `it lists ${JSON.stringify(path)}, a reserved name`;
    if (folded.has(path.toLowerCase())) return `two paths differ from ${JSON.stringify(path)} by case only`;
    folded.add(path.toLowerCase());
  }
  const { chatTemplate, files } = value;
  if (chatTemplate !== undefined && !(typeof chatTemplate === "string" && Object.hasOwn(files, chatTemplate)))
    return `its chatTemplate ${JSON.stringify(chatTemplate)} is none of its files`;
  return undefined;
}

function entryFault(entry: unknown): string | undefined {
  if (!isObject(entry)) return "it is not an object";
  if (!Number.isSafeInteger(entry.bytes) || (entry.bytes as number) < 0) return "its bytes is not a size";
  if (typeof entry.sha256 !== "string" || !/^[0-9a-f]{64}$/.test(entry.sha256))
    return "its sha256 is not 64 lower-case hexadecimal digits";
  const extra = Object.keys(entry).find((key) => key !== "bytes" && key !== "sha256");
  return extra === undefined ? undefined : `it has the unknown field ${JSON.stringify(extra)}`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
