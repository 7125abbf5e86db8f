import { DiffuSpecError, type PathSearch, type Vocabulary } from "@diffuspec/contracts";
import type { LatticeOptions } from "@diffuspec/lattice";
import type { DecoderShape } from "@diffuspec/onnx-decoder";

/** The drafter's entry of a model manifest. */
export interface DlmManifest extends DecoderShape {
  /** Most ids of prefix and block together. */
  readonly contextLength: number;
  /** The id that stands for an unknown token. */
  readonly maskId: number;
  /** Ids that end a text. */
  readonly eosIds: readonly number[];
  /** Entries of each position in the graph's table. */
  readonly top: number;
  /** Most masks of a block. */
  readonly maxMasks: number;
  /** File names by precision. */
  readonly graphs: Readonly<Record<string, string>>;
}

export interface DlmDrafterOptions {
  readonly drafter: DlmManifest;
  /** Path of a file of the model. */
  readonly resolve: (file: string) => string;
  /** How a lattice becomes a draft: beam search (CPS), a best-first tree, or argmax. */
  readonly search: PathSearch;
  readonly precision?: string;
  /** Threads of one operator. */
  readonly threads?: number;
  /** Eq. 7's tau and M_max; eosIds and struckIds are the manifest's. */
  readonly lattice?: Pick<LatticeOptions, "tau" | "maxCandidates" | "keepEos" | "stopAt" | "targetVocabularySize">;
  /** S of Eq. 5: passes per draft. */
  readonly steps?: number;
  /** Least masks of a block: the model sees at least so many, and only the asked length is proposed. */
  readonly minMasks?: number;
  /** Where the sampler is not greedy: weight of its noise against ln q / temperature. 0 drafts as if it were greedy. */
  readonly coupling?: number;
  readonly vocabulary?: Vocabulary;
  /** Name in statistics and messages. */
  readonly name?: string;
}

export const DLM_DEFAULTS = { precision: "int8", steps: 1, minMasks: 8, coupling: 2, name: "dlm" } as const;

/** @throws ERR_OPTION naming the first bad option */
export function checkOptions(options: DlmDrafterOptions) {
  const { precision = "int8", steps = 1, minMasks = 8, coupling = 2, name = "dlm" } = { ...DLM_DEFAULTS, ...options };
  const { drafter } = options;
  const refuse = (what: string, why: string) =>
    new DiffuSpecError({ code: "ERR_OPTION", what, why, next: "DLM_DEFAULTS shows a valid set." });
  const integer = (key: string, value: number, least: number, most: number) => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw refuse(`${key} is ${value}`, `it is an integer in ${least}..${most}`);
  };
  integer("drafter.maxMasks", drafter.maxMasks, 1, 1023);
  integer("drafter.top", drafter.top, 1, drafter.vocabularySize);
  integer("drafter.maskId", drafter.maskId, 0, drafter.vocabularySize - 1);
  integer("drafter.contextLength", drafter.contextLength, 2, drafter.positions);
  integer("steps", steps, 1, 64);
  integer("minMasks", minMasks, 1, drafter.maxMasks);
  if (!(coupling >= 0 && coupling < Number.POSITIVE_INFINITY))
    throw refuse(`coupling is ${coupling}`, "it is a finite number >= 0");
  const graph = drafter.graphs[precision];
  if (graph === undefined)
    throw refuse(`precision is ${precision}`, `the model has ${Object.keys(drafter.graphs).join(", ")}`);
  if (typeof options.search?.search !== "function")
    throw refuse("search is missing", "it is a PathSearch, such as createBeamSearch() of @diffuspec/cps");
  return { precision, steps, minMasks, coupling, name, graph };
}
