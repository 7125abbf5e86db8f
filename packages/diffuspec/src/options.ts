import type { RegistryOption } from "@diffuspec/model-files";
import type { HubDtype } from "@diffuspec/verifier-ar";
import {
  defined,
  optionError,
  refuseUnknown,
  requireInteger,
  requireNumber,
  requireOneOf,
  requireSignal,
} from "./checks.ts";
import { checkDrafterModel, type DrafterModelOption } from "./drafter-model.ts";
import { checkLengthController, type LengthControllerOption } from "./length-option.ts";
import { checkNgram, type NgramOption } from "./ngram-option.ts";
import { checkSearch, type SearchOption } from "./search-option.ts";

/**
 * What may draft. "dlm": the diffusion drafter, its lattice searched with the n-gram (DiffuSpec); "hybrid": the same, but
 * where the n-gram is sure of its own continuation, and wherever one samples, the diffusion model is not asked; "dlm-argmax": the
 * best token of every position; "ngram": the n-gram alone; "none": plain decoding.
 */
export const DRAFTER_NAMES = ["hybrid", "dlm", "dlm-argmax", "prompt-lookup", "recycling", "ngram", "none"] as const;
export type DrafterName = (typeof DRAFTER_NAMES)[number];

/**
 * Weights of the target, and of a drafter that has them: one without graphs of that precision runs its int8 ones, or what it
 * has. Drafts never change what is written.
 */
export const PRECISION_NAMES = ["int8", "fp32", "int4"] as const;
export type PrecisionName = (typeof PRECISION_NAMES)[number];

/** Weights of a model published for transformers.js, by the names its files have there. */
export const DTYPE_NAMES = [
  "fp32",
  "fp16",
  "q8",
  "int8",
  "uint8",
  "q4",
  "q4f16",
  "bnb4",
] as const satisfies readonly HubDtype[];

/** A step of loading: its beginning (done 0) and its end. */
export interface LoadProgress {
  readonly phase: "files" | "target" | "drafter";
  readonly done: number;
  readonly total: number;
}

/** What the engine is made of; plain data but for onProgress and signal. */
export interface EngineOptions {
  /** A pair's name in a registry, "org/name" of a downloaded model, or the path of a model directory. */
  readonly model: string;
  /** A registry of pairs of one's own, looked through before the built-in one: the path of its JSON file, or its content. */
  readonly registry?: RegistryOption;
  readonly drafter: DrafterName;
  readonly lengthController: LengthControllerOption;
  readonly precision: PrecisionName;
  /** Weights of a published model; absent: what its registry entry says, else fp32 where it is there, else what is. */
  readonly dtype?: HubDtype;
  /** Most ids of prompt and completion of a published model; absent: 2,048, or what it has. Others have it in their manifest. */
  readonly contextLength?: number;
  /**
   * A published full-canvas diffusion model in place of the pair's own drafter. Its vocabulary must be the target's; the first
   * difference is ERR_VOCABULARY_MISMATCH.
   */
  readonly drafterModel?: string | DrafterModelOption;
  /**
   * Threads of one operator; absent: what the manifest says suits the model, else one a core, at most four. "measure": the
   * faster of one and that number for the target, tried out at load; drafters take as many.
   */
  readonly threads?: number | "measure";
  /** "exact" refuses a graph whose rows depend on each other; "tolerant" runs it. */
  readonly exactness: "exact" | "tolerant";
  /**
   * Eq. 7: the probability mass a position keeps, in (0, 1], its most candidates, and a calibration temperature (0.01 to 100) for
   * every position, as fitTemperatures() of @diffuspec/lattice finds them; later positions take the last one. They act where one
   * does not sample.
   */
  readonly lattice: {
    readonly tau?: number;
    readonly maxCandidates?: number;
    readonly temperatures?: readonly number[];
  };
  readonly search: SearchOption;
  readonly ngram: NgramOption;
  /** Refinement steps S of the diffusion drafter. */
  readonly steps: number;
  /** Whether the diffusion drafter reads the target's hidden rows, where it was made for that; without, only ids. */
  readonly taps: boolean;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Ends the loading, and nothing later: what was loaded is freed, then comes ERR_ABORTED. */
  readonly signal?: AbortSignal;
}

/** Options of {@link load}: the engine's, and the queue's. */
export interface LoadOptions extends EngineOptions {
  /** Most calls that may wait behind the running one. */
  readonly maxQueue: number;
}

/** The one place of the facade's defaults. What is left out of lattice and search takes the default of its package. */
export const LOAD_DEFAULTS = {
  model: "tiny-js",
  drafter: "hybrid",
  lengthController: "auto",
  precision: "int8",
  exactness: "exact",
  lattice: {},
  search: {},
  ngram: {},
  steps: 1,
  taps: true,
  maxQueue: 64,
} as const satisfies LoadOptions;

const ENGINE_KEYS = [
  "model",
  "registry",
  "drafter",
  "lengthController",
  "precision",
  "dtype",
  "contextLength",
  "drafterModel",
  "threads",
  "exactness",
  "lattice",
  "search",
  "ngram",
  "steps",
  "taps",
  "onProgress",
  "signal",
] as const satisfies readonly (keyof EngineOptions)[];

/** Defaults filled in and every value checked. @throws ERR_OPTION naming the option and what it may be */
export function resolveLoadOptions(options: Partial<LoadOptions> = {}): LoadOptions {
  refuseUnknown("load", options, [...ENGINE_KEYS, "maxQueue"]);
  const { maxQueue = LOAD_DEFAULTS.maxQueue, ...engine } = options;
  requireInteger("maxQueue", maxQueue, 0, 2 ** 20);
  return { ...resolveEngineOptions(engine), maxQueue };
}

/** As {@link resolveLoadOptions}, for the engine without a queue. @throws ERR_OPTION */
export function resolveEngineOptions(options: Partial<EngineOptions> = {}): EngineOptions {
  refuseUnknown("createEngine", options, ENGINE_KEYS);
  const { maxQueue: _, ...defaults } = LOAD_DEFAULTS;
  const all: EngineOptions = { ...defaults, ...defined(options) };
  if (typeof all.model !== "string" || all.model.trim() === "")
    throw optionError("model", all.model, "a model's name or the path of a model directory");
  checkRegistry(all.registry);
  requireOneOf("drafter", all.drafter, DRAFTER_NAMES);
  checkLengthController(all.lengthController);
  requireOneOf("precision", all.precision, PRECISION_NAMES);
  if (all.dtype !== undefined) requireOneOf("dtype", all.dtype, DTYPE_NAMES);
  if (all.contextLength !== undefined) requireInteger("contextLength", all.contextLength, 2, 2 ** 24);
  if (all.drafterModel !== undefined) checkDrafterModel(all.drafterModel);
  requireOneOf("exactness", all.exactness, ["exact", "tolerant"]);
  if (all.threads !== undefined && all.threads !== "measure") requireInteger("threads", all.threads, 1, 256);
  requireInteger("steps", all.steps, 1, 64);
  if (typeof all.taps !== "boolean") throw optionError("taps", all.taps, "true or false");
  refuseUnknown("lattice", all.lattice, ["tau", "maxCandidates", "temperatures"]);
  const { tau, maxCandidates, temperatures } = all.lattice;
  if (tau !== undefined && !(typeof tau === "number" && tau > 0 && tau <= 1))
    throw optionError("lattice.tau", tau, "a number in (0, 1]");
  if (maxCandidates !== undefined) requireInteger("lattice.maxCandidates", maxCandidates, 1, 1024);
  if (temperatures !== undefined) {
    if (!Array.isArray(temperatures)) throw optionError("lattice.temperatures", temperatures, "an array of numbers");
    for (const t of temperatures) requireNumber("lattice.temperatures", t, 0.01, 100);
  }
  checkSearch(all.search);
  checkNgram(all.ngram);
  if (all.onProgress !== undefined && typeof all.onProgress !== "function")
    throw optionError("onProgress", all.onProgress, "a function");
  requireSignal(all.signal);
  return all;
}

function checkRegistry(registry: unknown): void {
  if (registry === undefined || (typeof registry === "string" && registry.trim() !== "")) return;
  if (typeof registry !== "object" || registry === null || Array.isArray(registry))
    throw optionError("registry", registry, "the path of a registry's JSON file, or its content as an object");
}
