import { stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import { modelDir } from "./cache.ts";
import { MANIFEST_NAME } from "./manifest.ts";
import { builtInRegistry, parseRegistry, readRegistry } from "./registry.ts";
import type { PairEntry, Registry } from "./registry-types.ts";

/** A registry of one's own: the path of its file, or its content. */
export type RegistryOption = string | object;

/** A pair, and the registry that named it. */
export interface FoundPair {
  readonly entry: PairEntry;
  readonly registry: Registry;
}

/** The caller's registry, where there is one, then the built-in one. @throws ERR_MODEL_FILE_MISSING, ERR_PARSE */
export async function openRegistries(own?: RegistryOption): Promise<readonly Registry[]> {
  if (own === undefined) return [builtInRegistry()];
  const first = typeof own === "string" ? await readRegistry(own) : parseRegistry(own, "the option registry");
  return [first, builtInRegistry()];
}

/** All pairs; of two with one name the first registry's counts. */
export function listPairs(registries: readonly Registry[]): FoundPair[] {
  const found = new Map<string, FoundPair>();
  for (const registry of registries)
    for (const entry of registry.pairs) if (!found.has(entry.name)) found.set(entry.name, { entry, registry });
  return [...found.values()];
}

/** @throws ERR_MODEL_UNKNOWN with the names there are */
export function findPair(name: string, registries: readonly Registry[]): FoundPair {
  const pairs = listPairs(registries);
  const found = pairs.find(({ entry }) => entry.name === name);
  if (found) return found;
  const names = pairs.map(({ entry }) => entry.name);
  throw new DiffuSpecError({
    code: "ERR_MODEL_UNKNOWN",
    what: `There is no pair "${name}"`,
    why: `the known ones are ${names.join(", ")} (${registries.map(({ source }) => source).join(", ")})`,
    next: 'Pass one of them, "org/name" of a downloaded model, or a path that begins with "./" or "/".',
    details: { model: name, known: names },
  });
}

/**
 * Where a pair's model directory may lie, the first that is there counts: models/NAME below the working directory, which
 * `npm run smollm2` and `diffuspec import` write, then pairs/NAME of the cache, which `diffuspec pull` writes. Of a pair
 * with a directory of its own, that one; none for a package.
 */
export function pairPlaces({ entry, registry }: FoundPair, cwd: string = process.cwd()): readonly string[] {
  const { name, source } = entry;
  if (source.kind === "package") return [];
  if (source.kind === "directory")
    return [isAbsolute(source.path) ? source.path : resolve(registry.dir ?? cwd, source.path)];
  return [join(cwd, "models", name), modelDir(`pairs/${name}`)];
}

/**
 * The model directory of a pair; undefined where it was not fetched yet, or comes in a package. A directory that a registry
 * names may be one as it lies on the hub, without a manifest: then it has a config.json.
 */
export async function locatePair(pair: FoundPair, cwd?: string): Promise<string | undefined> {
  const marks = pair.entry.source.kind === "directory" ? [MANIFEST_NAME, "config.json"] : [MANIFEST_NAME];
  for (const place of pairPlaces(pair, cwd))
    for (const mark of marks) if (await stat(join(place, mark)).then(Boolean, () => false)) return place;
  return undefined;
}

/** The error of a pair that is known and not here: where it was looked for, and every way to it. */
export function pairNotHere(pair: FoundPair): DiffuSpecError {
  const { name, source, obtain = [] } = pair.entry;
  const places = pairPlaces(pair);
  const ways = [...(source.kind === "hub" ? [`diffuspec pull ${name}`] : []), ...obtain];
  return new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what: `The model ${name} is not here`,
    why: `there is no manifest.json in ${places.join(" or ")}`,
    next: `${ways.length > 0 ? `Get it: ${ways.join("; or ")}; or copy` : "Copy"} its directory there from another machine.`,
    details: { model: name, places, obtain: ways },
  });
}
