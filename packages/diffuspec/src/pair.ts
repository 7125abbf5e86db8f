import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import {
  type FoundPair,
  findPair,
  locatePair,
  type Model,
  openModel,
  openRegistries,
  pairNotHere,
  type RegistryOption,
} from "@diffuspec/model-files";
import type { TargetManifest } from "@diffuspec/verifier-ar";
import type { GenerateOptions } from "./generate-options.ts";
import { checkGenerateOptions } from "./generate-options.ts";
import { type EngineOptions, resolveEngineOptions } from "./options.ts";

export interface DraftSettings {
  readonly lattice: EngineOptions["lattice"];
  readonly search: Exclude<EngineOptions["search"], "tree">;
  readonly ngram: EngineOptions["ngram"];
}

/** What a pair's manifest says beyond names and hashes; the sizes are checked where the graphs are loaded. */
export interface PairManifest {
  readonly name: string;
  readonly licence: string;
  /** File name of the shared tokenizer.json. */
  readonly tokenizer: string;
  readonly target: TargetManifest & { readonly parameters?: number };
  /** File name of the chat template (Jinja); undefined where the model takes no conversations. */
  readonly chatTemplate: string | undefined;
  /** Absent where the model comes without a diffusion drafter. `tokenizer` names one of its own, to be compared. */
  readonly drafter: Record<string, unknown> | undefined;
  /** File name of the n-gram. */
  readonly ngram: string | undefined;
  /** Threads of one operator that suit the model's size; absent: one a core, at most four. */
  readonly threads: number | undefined;
  /** What its drafters were fitted with, below the caller's own lattice, search and ngram. */
  readonly draft: DraftSettings;
  /** The model's own defaults for generation. */
  readonly generation: GenerateOptions;
}

/** A model directory whose files were all hashed, and what its manifest says. */
export interface Pair {
  readonly files: Model;
  readonly manifest: PairManifest;
}

/**
 * Finds a model by its name in a registry, by path ("./models/mine", absolute), or by the name "org/name" of a downloaded
 * one, and hashes its files.
 *
 * @throws ERR_MODEL_FILE_MISSING (also: the pair was not fetched, its package is not installed), ERR_MODEL_FILE_ALTERED,
 *   ERR_MODEL_UNKNOWN, ERR_PARSE
 */
export async function openPair(
  model: string,
  { registry, load = (source) => import(source) }: { registry?: RegistryOption | undefined; load?: LoadPackage } = {},
): Promise<Pair> {
  const found = await registered(model, registry);
  const files = await openModel(found === undefined ? model : await directoryOf(found, load));
  return { files, manifest: readPair(files) };
}

/**
 * The options with what the registry says suits the pair, where the caller says nothing.
 *
 * @throws as openPair, where the name or the registry is wrong
 */
export async function withPairDefaults<T extends Partial<EngineOptions>>(options: T): Promise<T> {
  if (typeof options.model !== "string") return options;
  const found = await registered(options.model, options.registry);
  const dir = found && (await locatePair(found));
  const drafts = dir !== undefined && (await bringsDrafter(dir));
  // A registry's drafter is for a target alone: a directory that has a diffusion drafter uses it.
  const suits = Object.entries(found?.entry.load ?? {}).filter(
    ([key]) => options[key as keyof T] === undefined && !(key === "drafter" && drafts),
  );
  return { ...options, ...Object.fromEntries(suits) };
}

/** Read before the files are checked: it decides a default and nothing else. */
const bringsDrafter = (dir: string): Promise<boolean> =>
  readFile(join(dir, "manifest.json"), "utf8").then(
    (text) => /"drafter"\s*:\s*\{/.test(text),
    () => false,
  );

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

function readPair({ dir, manifest }: Model): PairManifest {
  const refuse = (why: string) =>
    new DiffuSpecError({
      code: "ERR_PARSE",
      what: `The manifest of ${manifest.name} does not describe a pair`,
      why,
      next: "Restore the model, or export it again with a target, a tokenizer, and the file names of their graphs.",
      details: { directory: dir },
    });
  const {
    name,
    licence,
    tokenizer,
    chatTemplate,
    target,
    drafter,
    ngram,
    threads,
    draft = {},
    generation = {},
  } = manifest;
  if (!isObject(target)) throw refuse("it has no object target");
  if (!Array.isArray(target.eosIds) || !target.eosIds.every(Number.isInteger))
    throw refuse("target.eosIds is no list of ids");
  if (typeof tokenizer !== "string") throw refuse("tokenizer is no file name");
  if (chatTemplate !== undefined && typeof chatTemplate !== "string") throw refuse("chatTemplate is no file name");
  if (drafter !== undefined && !isObject(drafter)) throw refuse("drafter is no object");
  if (ngram !== undefined && typeof ngram !== "string") throw refuse("ngram is no file name");
  if (threads !== undefined && !(Number.isInteger(threads) && (threads as number) > 0))
    throw refuse("threads is no positive integer");
  if (!isObject(generation)) throw refuse("generation is no object");
  checkGenerateOptions(generation);
  if (!isObject(draft)) throw refuse("draft is no object");
  const { lattice, search, ngram: ngramDraft } = resolveEngineOptions(draft);
  return {
    name,
    licence: typeof licence === "string" ? licence : "unknown",
    tokenizer,
    chatTemplate,
    target: target as unknown as PairManifest["target"],
    drafter,
    ngram,
    threads: threads as number | undefined,
    draft: { lattice, search: search === "tree" ? {} : search, ngram: ngramDraft },
    generation,
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
