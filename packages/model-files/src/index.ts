/**
 * Model directories that are what they say. Node only.
 *
 * @module
 * @example
 * import { openModel } from "@diffuspec/model-files";
 * const model = await openModel("./models/tiny-js"); // every file hashed and compared with manifest.json
 * const config = await model.readJson("config.json");
 */
export { defaultCacheDir, modelDir } from "./cache.ts";
export {
  DOWNLOAD_DEFAULTS,
  type DownloadFile,
  type DownloadOptions,
  type DownloadProgress,
  download,
} from "./download.ts";
export { createManifest, type FileEntry, MANIFEST_NAME, type Manifest, parseManifest } from "./manifest.ts";
export { type Model, OPEN_MODEL_DEFAULTS, type OpenModelOptions, openModel } from "./open-model.ts";
