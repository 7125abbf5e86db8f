import { join, resolve } from "node:path";
import { DiffuSpecError, type Drafter, type PathSearch, type Vocabulary } from "@diffuspec/contracts";
import { CANVAS_PRESETS, type CanvasModel, createCanvasDrafter } from "@diffuspec/drafter-dlm";
import { assertSameVocabulary } from "@diffuspec/spec-loop";
import { readVocabulary } from "@diffuspec/tokenizer";
import { readHubModel } from "@diffuspec/verifier-ar";
import { isObject } from "./checks.ts";
import type { DrafterModelOption } from "./drafter-model.ts";
import type { PartInfo } from "./events.ts";
import { chooseGraph } from "./hub-target.ts";
import type { EngineOptions } from "./options.ts";
import type { Pair } from "./pair.ts";
import { plainFiles } from "./pair-files.ts";

/** A published diffusion model that knows the target's vocabulary; its graph is loaded when a drafter is made. */
export interface HubDrafterModel {
  readonly info: PartInfo;
  /** @param coupling weight of a sampler's noise */
  create(options: {
    name: string;
    search: PathSearch | (() => PathSearch);
    coupling: number;
    threads: number;
  }): Promise<Drafter>;
}

/** Where its files are, and what was said of it. */
interface Found extends Omit<DrafterModelOption, "directory" | "dtype"> {
  readonly dir: string;
  /** Path of the graph. */
  readonly graph: string;
  /** Undefined where there is no such file. @throws ERR_PARSE, ERR_MODEL_FILE_ALTERED */
  readonly json: (name: string) => Promise<unknown>;
}

/**
 * The model that `drafterModel` names, else the one that came with the pair; undefined where there is none.
 *
 * @throws ERR_VOCABULARY_MISMATCH naming the first id that differs, ERR_MODEL_FILE_MISSING, ERR_PARSE, ERR_OPTION
 */
export async function openHubDrafter(
  pair: Pair,
  settings: EngineOptions,
  target: Vocabulary,
): Promise<HubDrafterModel | undefined> {
  const found = settings.drafterModel === undefined ? ofPair(pair) : await ofFolder(settings.drafterModel);
  if (found === undefined) return undefined;
  const { dir, graph, json, preset, canvas, exceptions } = found;
  const tokenizer = await json("tokenizer.json");
  if (!isObject(tokenizer)) throw noTokenizer(dir);
  const vocabulary = await readVocabulary(tokenizer);
  const foreignIds = assertSameVocabulary(target, vocabulary, exceptions && { exceptions });
  const model = { eosIds: pair.manifest.eosIds, ...presetOf(preset), ...canvas };
  const maskId = model.maskId ?? (await maskOf(json, vocabulary));
  if (maskId === undefined) throw noMask(dir);
  const { lattice, steps } = settings;
  return {
    info: await sizesOf(dir, json),
    create: ({ name, search, coupling, threads }) =>
      createCanvasDrafter({
        ...model,
        maskId,
        foreignIds,
        graph,
        name,
        search,
        coupling,
        steps,
        lattice: { ...lattice, targetVocabularySize: target.size },
        threads,
      }),
  };
}

async function ofFolder(option: string | DrafterModelOption): Promise<Found> {
  const { directory, dtype, graph, ...said } = typeof option === "string" ? { directory: option } : option;
  const dir = resolve(directory);
  const chosen = graph ?? (await chooseGraph(dir, dtype)).graph;
  const files = await plainFiles(dir, undefined);
  const names = files.list.map(({ name }) => name);
  const json = async (name: string) => (names.includes(name) ? files.readJson(name) : undefined);
  return { ...said, dir, graph: join(dir, chosen), json };
}

/** Its folder is the first part of the graph's path: above that lies the target's own tokenizer. */
function ofPair({ files, manifest }: Pair): Found | undefined {
  if (manifest.hubDrafter === undefined) return undefined;
  const { graph, model: _, licence: __, ...said } = manifest.hubDrafter;
  const folder = graph.slice(0, Math.max(0, graph.indexOf("/")));
  const json = async (name: string) => {
    const path = `${folder}/${name}`;
    return files.list.some((file) => file.name === path) ? files.readJson(path) : undefined;
  };
  return { ...said, dir: join(files.dir, folder), graph: files.path(graph), json };
}

function presetOf(name: DrafterModelOption["preset"]): Partial<CanvasModel> {
  if (name === undefined) return {};
  if (Object.hasOwn(CANVAS_PRESETS, name)) return CANVAS_PRESETS[name];
  throw new DiffuSpecError({
    code: "ERR_OPTION",
    what: `The drafter's preset is ${JSON.stringify(name)}`,
    why: `this version knows ${Object.keys(CANVAS_PRESETS).join(", ")}`,
    next: "Correct it, or say what the model is by `canvas`.",
  });
}

/** mask_token_id of config.json, or the id of mask_token of tokenizer_config.json. */
async function maskOf(json: Found["json"], vocabulary: Vocabulary): Promise<number | undefined> {
  const config = await json("config.json");
  if (isObject(config) && typeof config.mask_token_id === "number") return config.mask_token_id;
  const named = await json("tokenizer_config.json");
  const mask = isObject(named) ? named.mask_token : undefined;
  const piece = isObject(mask) ? mask.content : mask;
  if (typeof piece !== "string") return undefined;
  for (let id = vocabulary.size - 1; id >= 0; id--) if (vocabulary.piece(id) === piece) return id;
  return undefined;
}

async function sizesOf(dir: string, json: Found["json"]): Promise<PartInfo> {
  const { layers, width } = (await json("config.json")) === undefined ? {} : readHubModel(dir).sizes;
  return { layers, width, parameters: undefined };
}

const noTokenizer = (dir: string) =>
  new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what: `The drafter in ${dir} has no tokenizer.json`,
    why: "without it nothing proves that its ids are the target's",
    next: "Put the tokenizer.json it was trained with into its folder.",
    details: { directory: dir },
  });

const noMask = (dir: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `The mask of the drafter in ${dir} is not known`,
    why: "neither a preset nor config.json nor tokenizer_config.json names it",
    next: "Pass drafterModel: { directory, preset }, or canvas: { maskId }.",
    details: { directory: dir },
  });
