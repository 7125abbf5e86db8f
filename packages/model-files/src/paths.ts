import { lstat, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { altered, errnoOf, missing, optionError } from "./errors.ts";

/** Windows devices answer to these names in every directory, with any extension. */
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;
const MAX_PATH = 255;

/** Why a path may not stand in a manifest, or undefined. Paths are relative, with "/" between parts, on every system. */
export function pathFault(path: string): string | undefined {
  if (path === "") return "it is empty";
  if (path.length > MAX_PATH) return `it is longer than ${MAX_PATH} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(path)) return "it holds a control character";
  if (/[\\:*?"<>|]/.test(path)) return 'it holds one of \\ : * ? " < > |';
  for (const part of path.split("/")) {
    if (part === "") return "it is absolute or has an empty part";
    if (part === "." || part === "..") return `it has the part "${part}"`;
    if (/[. ]$/.test(part)) return `its part "${part}" ends in a dot or a space`;
    if (part === "__proto__") return 'it has the part "__proto__"';
    if (DEVICE.test(part)) return `its part "${part}" is a device name`;
  }
  return undefined;
}

/**
 * The real path of a regular file inside a directory.
 *
 * @param root a real path (no links in it)
 * @throws ERR_MODEL_FILE_MISSING, or ERR_MODEL_FILE_ALTERED when links lead out of the directory or it is no regular file
 */
export async function containedFile(root: string, path: string): Promise<string> {
  let real: string;
  try {
    real = await realpath(join(root, ...path.split("/")));
  } catch (cause) {
    const code = errnoOf(cause);
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "ELOOP") throw cause;
    throw missing(path, `it is not in ${root}`, { directory: root }, undefined, cause);
  }
  if (!isInside(root, real)) throw altered(path, "place", `inside ${root}`, real);
  const found = await lstat(real);
  if (!found.isFile()) throw altered(path, "kind", "a regular file", found.isDirectory() ? "a directory" : "another");
  return real;
}

export const isInside = (root: string, path: string): boolean =>
  path.startsWith(root.endsWith(sep) ? root : root + sep);

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;

/** True for "org/name": two parts of letters, digits, ".", "_", "-", that are directory names on every system. */
export const isModelName = (name: unknown): name is string =>
  typeof name === "string" && NAME.test(name) && !name.includes("..") && pathFault(name) === undefined;

/** @throws ERR_OPTION */
export function checkModelName(name: unknown): string {
  if (isModelName(name)) return name;
  throw optionError(
    "The model name",
    `${JSON.stringify(name)} is not of the form org/name (letters, digits, ".", "_" and "-"; a path begins with "./", "../" or "/")`,
    name,
  );
}
