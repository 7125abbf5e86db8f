import { DiffuSpecError } from "@diffuspec/contracts";
import type { Manifest } from "@diffuspec/model-files";
import type { HubDtype, TargetManifest } from "@diffuspec/verifier-ar";
import { isObject } from "./checks.ts";
import type { DrafterModelOption } from "./drafter-model.ts";
import { checkGenerateOptions, type GenerateOptions } from "./generate-options.ts";
import { chooseGraph, type HubTarget, readHubTarget } from "./hub-target.ts";
import { type EngineOptions, resolveEngineOptions } from "./options.ts";
import type { PairFiles } from "./pair-files.ts";

export interface DraftSettings {
  readonly lattice: EngineOptions["lattice"];
  readonly search: Exclude<EngineOptions["search"], "tree">;
  readonly ngram: EngineOptions["ngram"];
  /** Of greedy drafts, and those that cost next to nothing, by drafters that end them themselves; "auto": nothing of its own. */
  readonly lengthController: EngineOptions["lengthController"];
}

/** A target of our graphs. */
export interface OwnTarget extends TargetManifest {
  readonly kind: "own";
  readonly parameters?: number;
}

/** A published diffusion model that came with the pair. */
export interface HubDrafter extends Omit<DrafterModelOption, "directory" | "dtype"> {
  readonly graph: string;
  readonly model?: string;
  readonly licence?: string;
}

/** What a model says of itself beyond names and hashes; the sizes are checked where the graphs are loaded. */
export interface PairManifest {
  readonly name: string;
  readonly licence: string;
  /** File name of the shared tokenizer.json. */
  readonly tokenizer: string;
  /** tokenizer_config.json of a published model; ours say all in the manifest. */
  readonly tokenizerConfig: Readonly<Record<string, unknown>> | undefined;
  /** Ids that end a text, and the one it begins with. */
  readonly eosIds: readonly number[];
  readonly bosId: number | undefined;
  readonly target: OwnTarget | HubTarget;
  /** The chat template (Jinja); undefined where the model takes no conversations. */
  readonly chatTemplate: string | undefined;
  /** Absent where the model comes without a diffusion drafter of ours. */
  readonly drafter: Record<string, unknown> | undefined;
  /** A full-canvas diffusion model; its tokenizer.json lies in the folder above its graph's, or beside it. */
  readonly hubDrafter: HubDrafter | undefined;
  /** File name of the n-gram. */
  readonly ngram: string | undefined;
  /** Threads of one operator that suit the model's size; absent: one a core, at most four. */
  readonly threads: number | undefined;
  /** What its drafters were fitted with, below the caller's own lattice, search and ngram. */
  readonly draft: DraftSettings;
  /** The model's own defaults for generation. */
  readonly generation: GenerateOptions;
}

/** A folder as it lies on the hub. @throws ERR_PARSE, ERR_MODEL_FILE_MISSING */
export async function describeFolder(
  files: PairFiles,
  name: string,
  graph: Omit<HubTarget, "kind">,
): Promise<PairManifest> {
  return {
    name,
    licence: "unknown",
    target: { kind: "hub", ...graph },
    drafter: undefined,
    hubDrafter: undefined,
    ngram: undefined,
    threads: undefined,
    draft: { lattice: {}, search: {}, ngram: {}, lengthController: "auto" },
    generation: {},
    ...(await readHubTarget(files)),
  };
}

/** A directory with a manifest. @throws ERR_PARSE, ERR_OPTION (dtype), ERR_MODEL_FILE_MISSING */
export async function readPair(files: PairFiles, manifest: Manifest, dtype?: HubDtype): Promise<PairManifest> {
  const refuse: Refuse = (why) =>
    new DiffuSpecError({
      code: "ERR_PARSE",
      what: `The manifest of ${manifest.name} does not describe a pair`,
      why,
      next: "Restore the model, or export it again with a target, a tokenizer, and the file names of their graphs.",
      details: { directory: files.dir },
    });
  const { name, licence, drafter, hubDrafter, ngram, threads, draft = {}, generation = {} } = manifest;
  if (drafter !== undefined && !isObject(drafter)) throw refuse("drafter is no object");
  if (hubDrafter !== undefined && !(isObject(hubDrafter) && typeof hubDrafter.graph === "string"))
    throw refuse("hubDrafter names no graph");
  if (ngram !== undefined && typeof ngram !== "string") throw refuse("ngram is no file name");
  if (threads !== undefined && !(Number.isInteger(threads) && (threads as number) > 0))
    throw refuse("threads is no positive integer");
  if (!isObject(generation)) throw refuse("generation is no object");
  checkGenerateOptions(generation);
  if (!isObject(draft)) throw refuse("draft is no object");
  const { lattice, search, ngram: ngramDraft, lengthController } = resolveEngineOptions(draft);
  return {
    name,
    licence: typeof licence === "string" ? licence : "unknown",
    drafter,
    hubDrafter: hubDrafter as HubDrafter | undefined,
    ngram,
    threads: threads as number | undefined,
    draft: { lattice, search: search === "tree" ? {} : search, ngram: ngramDraft, lengthController },
    generation,
    ...(await (manifest.hubTarget === undefined
      ? ownTarget(files, manifest, refuse)
      : hubTarget(files, manifest, refuse, dtype))),
  };
}

type Refuse = (why: string) => DiffuSpecError;
type TargetPart = Pick<PairManifest, "target" | "tokenizer" | "tokenizerConfig" | "eosIds" | "bosId" | "chatTemplate">;

async function ownTarget(files: PairFiles, manifest: Manifest, refuse: Refuse): Promise<TargetPart> {
  const { target, tokenizer, chatTemplate } = manifest;
  if (!isObject(target)) throw refuse("it has no object target");
  if (!Array.isArray(target.eosIds) || !target.eosIds.every(Number.isInteger))
    throw refuse("target.eosIds is no list of ids");
  if (typeof tokenizer !== "string") throw refuse("tokenizer is no file name");
  const own = { ...(target as unknown as TargetManifest), kind: "own" } as const;
  return {
    target: own,
    tokenizer,
    tokenizerConfig: undefined,
    eosIds: own.eosIds,
    bosId: own.bosId,
    chatTemplate: chatTemplate === undefined ? undefined : await files.readText(chatTemplate),
  };
}

async function hubTarget(
  files: PairFiles,
  manifest: Manifest,
  refuse: Refuse,
  dtype: HubDtype | undefined,
): Promise<TargetPart> {
  const { hubTarget: entry } = manifest;
  if (!isObject(entry) || typeof entry.graph !== "string") throw refuse("hubTarget names no graph");
  const chosen = dtype === undefined ? { graph: entry.graph, dtype } : await chooseGraph(files.dir, dtype);
  files.path(chosen.graph); // it is one of the files that were hashed
  return { target: { kind: "hub", ...chosen }, ...(await readHubTarget(files)) };
}
