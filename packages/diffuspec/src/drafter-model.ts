import { CANVAS_PRESETS, type CanvasModel } from "@diffuspec/drafter-dlm";
import type { VocabularyException } from "@diffuspec/spec-loop";
import type { HubDtype } from "@diffuspec/verifier-ar";
import { optionError, refuseUnknown, requireOneOf } from "./checks.ts";

/** Families of full-canvas diffusion models whose facts are known. */
export const CANVAS_PRESET_NAMES = Object.keys(CANVAS_PRESETS) as readonly CanvasPresetName[];
export type CanvasPresetName = keyof typeof CANVAS_PRESETS;

/** A published full-canvas diffusion model: a folder with its graph and its tokenizer.json. */
export interface DrafterModelOption {
  readonly directory: string;
  /** What is known of its family: mask, ends of text, shift, blocks. */
  readonly preset?: CanvasPresetName;
  /** What no preset says, or says otherwise. The mask is else looked for in config.json and tokenizer_config.json. */
  readonly canvas?: Partial<Omit<CanvasModel, "name">>;
  /** Which weights, where there are several. */
  readonly dtype?: HubDtype;
  /** Path of a graph of another name, relative to the folder. */
  readonly graph?: string;
  /** Special tokens that are known to differ from the target's: never drafted, and read as masks. */
  readonly exceptions?: readonly VocabularyException[];
}

const CANVAS_KEYS = [
  "maskId",
  "eosIds",
  "shift",
  "vocabularySize",
  "blockSize",
  "window",
  "maxLength",
] as const satisfies readonly (keyof CanvasModel)[];

/** Names and kinds; what the values mean is checked where the model is loaded. @throws ERR_OPTION */
export function checkDrafterModel(option: string | DrafterModelOption): void {
  const { directory } = typeof option === "string" ? { directory: option } : option;
  if (typeof directory !== "string" || directory.trim() === "")
    throw optionError(
      "drafterModel",
      option,
      "the path of a folder, or { directory, preset, canvas, dtype, graph, exceptions }",
    );
  if (typeof option === "string") return;
  refuseUnknown("drafterModel", option, ["directory", "preset", "canvas", "dtype", "graph", "exceptions"]);
  const { preset, canvas, graph, exceptions } = option;
  if (preset !== undefined) requireOneOf("drafterModel.preset", preset, CANVAS_PRESET_NAMES);
  if (canvas !== undefined) refuseUnknown("drafterModel.canvas", canvas, CANVAS_KEYS);
  if (graph !== undefined && typeof graph !== "string") throw optionError("drafterModel.graph", graph, "a path");
  if (exceptions !== undefined && !Array.isArray(exceptions))
    throw optionError("drafterModel.exceptions", exceptions, "a list of { id, target, drafter }");
}
