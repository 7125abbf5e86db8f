import type { PathSearch, Vocabulary } from "@diffuspec/contracts";
import { LATTICE_DEFAULTS, type LatticeOptions } from "@diffuspec/lattice";
import type { GraphOptions } from "@diffuspec/onnx-decoder";
import { integerWith, refuseWith } from "./option-checks.ts";
import { DLM_DEFAULTS } from "./options.ts";

const refuse = refuseWith("See CanvasDrafterOptions, CANVAS_DEFAULTS and CANVAS_PRESETS of @diffuspec/drafter-dlm.");
const integer = integerWith(refuse);

/** What a family of full-canvas models has in common; {@link CANVAS_PRESETS} holds some. */
export interface CanvasModel {
  /** The id that stands for an unknown token. */
  readonly maskId: number;
  /** Ids that end a text. */
  readonly eosIds: readonly number[];
  /** 1 where the logits of a place stand in the row before it (Dream); default 0. */
  readonly shift?: 0 | 1;
  /** Width of a row of logits; needed where the graph does not say it. */
  readonly vocabularySize?: number;
  /** Block diffusion: attention by blocks of this many places, through the graph's additive attention_mask. */
  readonly blockSize?: number;
  /** Most known ids in front of the masks. */
  readonly window?: number;
  /** Most tokens of a draft. */
  readonly maxLength?: number;
  /** Name in statistics and messages. */
  readonly name?: string;
}

export interface CanvasDrafterOptions extends CanvasModel, Omit<GraphOptions, "label"> {
  /** How a lattice becomes a draft: beam search (CPS), a best-first tree, or argmax. A function makes one for each session. */
  readonly search: PathSearch | (() => PathSearch);
  /**
   * Eq. 7. `targetVocabularySize` is the window of the vocabulary: ids from there on are no candidates, and the softmax
   * runs without them. The mask id is struck.
   */
  readonly lattice?: Pick<
    LatticeOptions,
    "tau" | "maxCandidates" | "keepEos" | "stopAt" | "targetVocabularySize" | "temperatures"
  >;
  /** S of Eq. 5: passes per draft. */
  readonly steps?: number;
  /** Least masks of a canvas: the model sees at least so many, and only the asked length is proposed. */
  readonly minMasks?: number;
  /** Above 0; logits are divided by it, so below 1 the lattice is narrower. Calibrated `lattice.temperatures` come after. */
  readonly temperature?: number;
  /** Where the sampler is not greedy: weight of its noise. 0 drafts as if it were greedy. */
  readonly coupling?: number;
  /**
   * Ids that mean another piece to the target, as `assertSameVocabulary` of @diffuspec/spec-loop returns them: never drafted,
   * and shown to the model as masks.
   */
  readonly foreignIds?: readonly number[];
  /** Of the model's own tokenizer: compared with the target's by the loop; ids beyond it are no candidates. */
  readonly vocabulary?: Vocabulary;
}

/** maxLength gives way to blockSize, where there is one. */
export const CANVAS_DEFAULTS = {
  shift: 0,
  window: 256,
  maxLength: 32,
  steps: 1,
  minMasks: 1,
  temperature: 1,
  coupling: DLM_DEFAULTS.coupling,
  name: "canvas",
} as const;

/**
 * Models that exist as exports or can be exported, from what their authors publish. None of them was run by us: acceptance
 * and speed with these presets are not measured.
 *
 * - "qwen3-0.6b-mdlm", "qwen3-0.6b-bd3lm": dllm-hub/Qwen3-0.6B-diffusion-{mdlm,bd3lm}-v0.1 as exported in
 *   naklitechie/Qwen3-0.6B-diffusion-{mdlm,bd3lm}-ONNX; trained on texts of at most 1,024 and 512 ids. Targets: Qwen3.
 * - "dream-7b": Dream-org/Dream-v0-Instruct-7B, 2,048 ids. Targets: Qwen2.5. With Qwen3 targets four ids from 151665 on mean
 *   other pieces: name them as exceptions of the vocabulary and as `foreignIds`.
 */
export const CANVAS_PRESETS = {
  "qwen3-0.6b-mdlm": {
    name: "qwen3-0.6b-mdlm",
    maskId: 151669,
    eosIds: [151645, 151643],
    shift: 0,
    vocabularySize: 151936,
  },
  "qwen3-0.6b-bd3lm": {
    name: "qwen3-0.6b-bd3lm",
    maskId: 151669,
    eosIds: [151645, 151643],
    shift: 0,
    vocabularySize: 151936,
    blockSize: 32,
  },
  "dream-7b": {
    name: "dream-7b",
    maskId: 151666,
    eosIds: [151643, 151645],
    shift: 1,
    vocabularySize: 152064,
  },
} as const satisfies Readonly<Record<string, CanvasModel>>;

/** Entries of a table's row; more than a lattice keeps, so that a sampler's noise can lift one. */
const TOP = 32;
const KNOWN: readonly string[] = [
  ...["graph", "threads", "spin", "optimisation", "search", "lattice", "maskId", "eosIds", "shift", "vocabularySize"],
  ...["blockSize", "window", "maxLength", "steps", "minMasks", "temperature", "coupling", "foreignIds", "vocabulary"],
  "name",
];

/** @throws ERR_OPTION naming the first bad option */
export function checkCanvasOptions(options: CanvasDrafterOptions) {
  const unknown = Object.keys(options).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined)
    throw refuse(`The canvas drafter was given the option ${unknown}`, `its options are ${KNOWN.join(", ")}`);
  const { shift, window, steps, temperature, coupling, name } = { ...CANVAS_DEFAULTS, ...options };
  const { blockSize, foreignIds = [], maskId, search } = options;
  if (blockSize !== undefined) integer("blockSize", blockSize, 1, 1023);
  const { maxLength = blockSize ?? CANVAS_DEFAULTS.maxLength, minMasks = CANVAS_DEFAULTS.minMasks } = options;
  integer("maskId", maskId, 0, 2 ** 24);
  integer("window", window, 1, 2 ** 20);
  integer("steps", steps, 1, 64);
  integer("maxLength", maxLength, 1, 1023);
  integer("minMasks", minMasks, 1, 1023);
  if (shift !== 0 && shift !== 1) throw refuse(`shift is ${shift}`, "it is 0 or 1");
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY))
    throw refuse(`temperature is ${temperature}`, "it is a finite number above 0");
  if (!(coupling >= 0 && coupling < Number.POSITIVE_INFINITY))
    throw refuse(`coupling is ${coupling}`, "it is a finite number >= 0");
  if (typeof name !== "string" || name === "") throw refuse("name is not usable", "it is a text of its own");
  if (typeof options.graph !== "string" || options.graph === "") throw refuse("graph is missing", "it is a path");
  if (typeof search !== "function" && typeof search?.search !== "function")
    throw refuse("search is missing", "it is a PathSearch, such as createBeamSearch() of @diffuspec/cps, or makes one");
  if (!Array.isArray(options.eosIds)) throw refuse("eosIds is missing", "it is an array of token ids");
  if (!Array.isArray(foreignIds) || !foreignIds.every((id) => Number.isInteger(id) && id >= 0 && id <= 2 ** 24))
    throw refuse("foreignIds is not usable", "it is an array of token ids");
  const lattice = {
    ...LATTICE_DEFAULTS,
    ...options.lattice,
    eosIds: options.eosIds,
    struckIds: [...new Set([maskId, ...foreignIds])],
  };
  return {
    lattice,
    settings: { shift, window, temperature, blockSize, maskId, foreignIds, struckIds: lattice.struckIds },
    session: { steps, minMasks, maxLength, coupling },
    name,
  };
}

/**
 * Sizes that depend on the graph.
 *
 * @throws ERR_OPTION where the mask is no id of the model, or nothing is left to draft
 */
export function fitCanvas(options: CanvasDrafterOptions, width: number, lattice: Required<LatticeOptions>) {
  if (options.maskId >= width) throw refuse(`maskId is ${options.maskId}`, `the model has ids 0..${width - 1}`);
  const candidates = Math.min(width, lattice.targetVocabularySize, options.vocabulary?.size ?? width);
  const left = candidates - lattice.struckIds.filter((id) => id < candidates).length;
  const top = Math.min(left, Math.max(TOP, lattice.maxCandidates));
  if (top < 1) throw refuse("There is nothing to draft", `of ${candidates} shared ids all are struck`);
  return { candidates, top };
}
