import { basename } from "node:path";
import { DiffuSpecError, type Verifier } from "@diffuspec/contracts";
import { createHubDecoder, type HubDecoder, type RowExactness, withMeasuredThreads } from "@diffuspec/onnx-decoder";
import { assemble, checkPassOptions, checkVocabulary, type PassOptions, proveRowExact } from "./assemble.ts";
import { type HubDtype, hubGraph, readHubModel } from "./hub-model.ts";
import { limitsOf, optionError } from "./target.ts";

/** Options of {@link createHubVerifier}. */
export interface HubVerifierOptions extends PassOptions {
  /** A folder as it lies on the hub: config.json, generation_config.json, onnx/. */
  readonly directory: string;
  /** Which weights; default "fp32". */
  readonly dtype?: HubDtype;
  /** Path of a graph of another name, in place of dtype. */
  readonly graph?: string;
  /** Most ids of prompt and completion; default 2,048, or what the model's positions leave beside maxNodes. */
  readonly contextLength?: number;
  /** Threads of one operator; default: one a core, at most four. "measure": the faster of one and that, tried out at load. */
  readonly threads?: number | "measure";
  /** Idle threads wait actively; default true. */
  readonly spin?: boolean;
  /** "disabled": the runtime does not rewrite the graph. Default "all". */
  readonly optimisation?: "all" | "disabled";
}

/** The defaults of {@link createHubVerifier}. */
export const HUB_DEFAULTS = {
  dtype: "fp32",
  exactness: "exact",
  probe: "quick",
  prefillChunk: 256,
  contextLength: 2048,
  maxNodes: 64,
} as const;

/** A verifier of chains only: these graphs have no mask of their own for a tree, and `verify` answers one with ERR_UNSUPPORTED. */
export interface HubVerifier extends Verifier {
  readonly trees: false;
  /** The graph behind it. */
  readonly chain: HubDecoder;
  readonly bosId?: number;
  /** The probe's findings; absent where it did not run. */
  readonly rowExactness?: RowExactness;
  dispose(): Promise<void>;
}

/**
 * A decoder that was published for transformers.js as the target, read from its folder.
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_PARSE, ERR_GRAPH, ERR_VOCABULARY_MISMATCH,
 *   ERR_UNSUPPORTED where the graph is of another convention,
 *   ERR_NOT_ROW_EXACT where its rows depend on each other, as in the usual "q8" files
 */
export async function createHubVerifier(options: HubVerifierOptions): Promise<HubVerifier> {
  const { directory } = options;
  if (typeof directory !== "string" || directory === "")
    throw optionError(`directory is ${JSON.stringify(directory)}`, "it is the path of a folder", "Pass one.");
  const model = readHubModel(directory);
  const graph = options.graph ?? hubGraph(directory, options.dtype ?? HUB_DEFAULTS.dtype);
  const maxNodes = options.maxNodes ?? HUB_DEFAULTS.maxNodes;
  const room = contextOf(options.contextLength, model.positions, maxNodes);
  const limits = limitsOf(room, maxNodes);
  const { positions } = room;
  const settings = checkPassOptions(options, HUB_DEFAULTS, positions);
  const load = (threads: number | undefined) =>
    createHubDecoder({
      graph,
      shape: { ...model.sizes, positions },
      label: basename(graph),
      ...(threads !== undefined && { threads }),
      ...(options.spin !== undefined && { spin: options.spin }),
      ...(options.optimisation !== undefined && { optimisation: options.optimisation }),
    });
  const { threads } = options;
  const chain = await (threads === "measure" ? withMeasuredThreads(load) : load(threads));
  try {
    const { vocabularySize } = chain.shape;
    const foreign = model.eosIds.find((id) => id >= vocabularySize);
    if (foreign !== undefined)
      throw optionError(
        `eos_token_id ${foreign} is no id of the model`,
        `it has ${vocabularySize}`,
        "Correct config.json.",
      );
    checkVocabulary(options.vocabulary, vocabularySize);
    const rowExactness = await proveRowExact(chain, settings, WAY_OUT);
    const verifier = assemble({
      name: basename(graph),
      chain,
      tree: async () => {
        throw noTrees(basename(graph));
      },
      eosIds: model.eosIds,
      ...limits,
      ...settings,
    });
    return {
      ...verifier,
      trees: false,
      chain,
      ...(model.bosId !== undefined && { bosId: model.bosId }),
      ...(rowExactness && { rowExactness }),
    };
  } catch (error) {
    await chain.dispose();
    throw error;
  }
}

const WAY_OUT =
  'Pick a dtype whose activations do not share one scale (fp32, often q4), import the weights with @diffuspec/model-import, or pass exactness: "tolerant": drafts may then turn near ties.';

/** The context asked for, and the positions a pass may reach: what the model has is never exceeded. */
function contextOf(asked: number | undefined, has: number | undefined, maxNodes: number) {
  const most = has === undefined ? undefined : has - maxNodes;
  if (has === undefined && asked === undefined)
    throw optionError("contextLength is missing", "config.json names no max_position_embeddings", "Pass it.");
  if (asked !== undefined && most !== undefined && asked > most)
    throw optionError(
      `contextLength is ${asked}`,
      `the model has ${has} positions, of which ${maxNodes} are for a draft (maxNodes)`,
      `Pass at most ${most}.`,
    );
  const contextLength = asked ?? Math.min(HUB_DEFAULTS.contextLength, most!);
  return { contextLength, positions: contextLength + maxNodes };
}

const noTrees = (label: string) =>
  new DiffuSpecError({
    code: "ERR_UNSUPPORTED",
    what: `A tree was to be verified by ${label}`,
    why: "the published graphs have no attention mask for side branches",
    next: "Propose chains; @diffuspec/spec-loop cuts a tree to its leading trunk where a verifier says trees: false.",
  });
