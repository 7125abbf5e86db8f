import { DiffuSpecError, type Verifier, type Vocabulary } from "@diffuspec/contracts";
import type { Decoder, RowExactness } from "@diffuspec/onnx-decoder";
import { createHubVerifier, createVerifier } from "@diffuspec/verifier-ar";
import { type EngineOptions, LOAD_DEFAULTS } from "./options.ts";
import type { Pair } from "./pair.ts";

/** A loaded target, whoever made its graphs. */
export interface Target extends Verifier {
  readonly chain: Decoder;
  /** Absent where the probe did not run. */
  readonly rowExactness?: RowExactness;
  /** Loads the graph of trees; absent where there is none. */
  loadTree?(): Promise<Decoder>;
  dispose(): Promise<void>;
}

/**
 * @throws ERR_OPTION (also: an option for the other kind of target), ERR_GRAPH, ERR_NOT_ROW_EXACT, ERR_UNSUPPORTED,
 *   ERR_VOCABULARY_MISMATCH, ERR_MODEL_FILE_MISSING
 */
export async function openTarget(
  { files, manifest: { name, target } }: Pair,
  { precision, dtype, contextLength, exactness, threads }: EngineOptions,
  vocabulary: Vocabulary,
): Promise<Target> {
  const common = { exactness, vocabulary, ...(threads !== undefined && { threads }) };
  if (target.kind === "own") {
    for (const [option, value] of Object.entries({ dtype, contextLength }))
      if (value !== undefined)
        throw misplaced(option, value, `${name} was imported, and its manifest says it`, "Leave it out.");
    return createVerifier({ ...common, target, resolve: files.path, precision });
  }
  if (precision !== LOAD_DEFAULTS.precision)
    throw misplaced("precision", precision, `${name} is a published model`, "Choose its weights by `dtype`.");
  return createHubVerifier({
    ...common,
    directory: files.dir,
    graph: files.path(target.graph),
    ...(contextLength !== undefined && { contextLength }),
  });
}

const misplaced = (option: string, value: unknown, why: string, next: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${option} is ${JSON.stringify(value)}`,
    why,
    next,
    details: { option },
  });
