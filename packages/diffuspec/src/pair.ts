import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import {
  type FoundPair,
  findPair,
  locatePair,
  MANIFEST_NAME,
  modelPlace,
  openRegistries,
  pairNotHere,
  type RegistryOption,
} from "@diffuspec/model-files";
import type { HubDtype } from "@diffuspec/verifier-ar";
import { chooseGraph } from "./hub-target.ts";
import type { EngineOptions } from "./options.ts";
import { hashedFiles, type PairFiles, plainFiles } from "./pair-files.ts";
import { describeFolder, type PairManifest, readPair } from "./read-pair.ts";

/** A model's files, and what they say. */
export interface Pair {
  readonly files: PairFiles;
  readonly manifest: PairManifest;
}

export interface OpenPairOptions {
  readonly registry?: RegistryOption | undefined;
  /** Weights of a published model. */
  readonly dtype?: HubDtype | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly load?: LoadPackage;
}

/**
 * Finds a model by its name in a registry, by path ("./models/mine", absolute), or by the name "org/name" of a downloaded
 * one. With a manifest.json its files are hashed; a folder with a config.json and no manifest is a published model.
 *
 * @throws ERR_MODEL_FILE_MISSING (also: the pair was not fetched, its package is not installed), ERR_MODEL_FILE_ALTERED,
 *   ERR_MODEL_UNKNOWN, ERR_PARSE, ERR_ABORTED
 */
export async function openPair(model: string, options: OpenPairOptions = {}): Promise<Pair> {
  const { registry, dtype, signal, load = (source) => import(source) } = options;
  const found = await registered(model, registry);
  const place = found === undefined ? model : await directoryOf(found, load);
  const folder = modelPlace(place);
  if (await isPublished(folder)) {
    const graph = await chooseGraph(folder, dtype);
    const files = await plainFiles(folder, graph.graph);
    return { files, manifest: await describeFolder(files, found?.entry.name ?? nameOf(folder), graph) };
  }
  const { files, manifest } = await hashedFiles(place, signal);
  return { files, manifest: await readPair(files, manifest, dtype) };
}

/**
 * The options with what the registry says suits the pair, where the caller says nothing. A model without a diffusion drafter
 * looks its drafts up in the prompt.
 *
 * @throws as openPair, where the name or the registry is wrong
 */
export async function withPairDefaults<T extends Partial<EngineOptions>>(options: T): Promise<T> {
  if (typeof options.model !== "string") return options;
  const found = await registered(options.model, options.registry);
  const dir = found ? await locatePair(found) : modelPlace(options.model);
  const drafts = options.drafterModel !== undefined || (dir !== undefined && (await bringsDrafter(dir)));
  const drafter = dir === undefined || drafts ? {} : { drafter: "prompt-lookup" };
  // A registry's drafter is for a target alone: a directory that has a diffusion drafter uses it.
  const suits = Object.entries({ ...drafter, ...found?.entry.load }).filter(
    ([key]) => options[key as keyof T] === undefined && !(key === "drafter" && drafts),
  );
  return { ...options, ...Object.fromEntries(suits) };
}

/**
 * Read before the files are checked: it decides a default and nothing else. A published drafter (`hubDrafter`) is no default:
 * its passes are long, and what it brings is not measured.
 */
const bringsDrafter = (dir: string): Promise<boolean> =>
  readFile(join(dir, MANIFEST_NAME), "utf8").then(
    (text) => /"drafter"\s*:\s*\{/.test(text),
    () => false,
  );

const isThere = (path: string) => stat(path).then(Boolean, () => false);

const isPublished = async (dir: string) =>
  !(await isThere(join(dir, MANIFEST_NAME))) && (await isThere(join(dir, "config.json")));

/** A folder of the hub's own cache is named after a commit; the repository's name stands above it. */
function nameOf(folder: string): string {
  const [, owner, name] = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\][^/\\]+$/.exec(folder) ?? [];
  return name === undefined ? basename(folder) : `${owner}/${name}`;
}

/** A name never holds a slash or a backslash; what does is a path, or "org/name". */
async function registered(model: string, registry: RegistryOption | undefined): Promise<FoundPair | undefined> {
  if (/[/\\]|^\.+$/.test(model)) return undefined;
  return findPair(model, await openRegistries(registry));
}

async function directoryOf(found: FoundPair, load: LoadPackage): Promise<string> {
  const { name, source } = found.entry;
  if (source.kind === "package") return packageDirectory(name, source.package, load);
  const dir = await locatePair(found);
  if (dir === undefined) throw pairNotHere(found);
  return dir;
}

type LoadPackage = (source: string) => Promise<unknown>;

async function packageDirectory(model: string, source: string, load: LoadPackage): Promise<string> {
  try {
    const { modelDirectory } = (await load(source)) as { modelDirectory: string };
    return modelDirectory;
  } catch (cause) {
    throw new DiffuSpecError({
      code: "ERR_MODEL_FILE_MISSING",
      what: `The model ${model} is not here`,
      why: `the package ${source} that holds it could not be loaded`,
      next: `Install it: npm install ${source}`,
      details: { model, package: source },
      cause,
    });
  }
}
