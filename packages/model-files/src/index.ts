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
export {
  type FoundPair,
  findPair,
  listPairs,
  locatePair,
  openRegistries,
  pairNotHere,
  pairPlaces,
  type RegistryOption,
} from "./find-pair.ts";
export { DEFAULT_HUB, type Hub, hubOf, resolveUrl } from "./hub.ts";
export { createManifest, type FileEntry, MANIFEST_NAME, type Manifest, parseManifest } from "./manifest.ts";
export { type Model, modelPlace, OPEN_MODEL_DEFAULTS, type OpenModelOptions, openModel } from "./open-model.ts";
export { PULL_DEFAULTS, type PullCheck, type PulledFile, type PullOptions, pullFiles } from "./pull.ts";
export { builtInRegistry, parseRegistry, readRegistry } from "./registry.ts";
export type {
  CanvasEntry,
  HubFile,
  HubFiles,
  Measurement,
  PairEntry,
  PairSource,
  PartEntry,
  Registry,
} from "./registry-types.ts";
