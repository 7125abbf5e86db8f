import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { optionError } from "./errors.ts";
import { checkModelName } from "./paths.ts";

/**
 * Where models are kept: DIFFUSPEC_CACHE, else the platform's cache directory + "diffuspec".
 *
 * @throws ERR_OPTION when DIFFUSPEC_CACHE is not an absolute path
 */
export function defaultCacheDir(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
  home: string = homedir(),
): string {
  const own = env.DIFFUSPEC_CACHE;
  if (own) {
    if (!isAbsolute(own)) throw optionError("DIFFUSPEC_CACHE", `"${own}" is not an absolute path`, own);
    return own;
  }
  if (platform === "darwin") return join(home, "Library", "Caches", "diffuspec");
  if (platform === "win32") return join(env.LOCALAPPDATA || join(home, "AppData", "Local"), "diffuspec", "Cache");
  // The XDG rules say that a relative path is to be ignored.
  const xdg = env.XDG_CACHE_HOME;
  return join(xdg && isAbsolute(xdg) ? xdg : join(home, ".cache"), "diffuspec");
}

/** The directory of a model in the cache. @throws ERR_OPTION for a bad name */
export const modelDir = (name: string, cacheDir: string = defaultCacheDir()): string =>
  join(cacheDir, "models", ...checkModelName(name).split("/"));
