import type { PathSearch, Tap, Vocabulary } from "@diffuspec/contracts";
import { LATTICE_DEFAULTS, type LatticeOptions } from "@diffuspec/lattice";
import type { DecoderShape } from "@diffuspec/onnx-decoder";
import { integerWith, refuseWith } from "./option-checks.ts";

const refuse = refuseWith(
  "See DlmDrafterOptions and DLM_DEFAULTS of @diffuspec/drafter-dlm, and the model's manifest.",
);
const integer = integerWith(refuse);

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
  /** Hidden rows of the target that its graph reads beside the ids, in this order, each as wide as the drafter. */
  readonly taps?: readonly Tap[];
  /** The row of an id drafts the id behind it; absent: a mask drafts the id in its own place. */
  readonly shift?: boolean;
  /** Default of {@link DlmDrafterOptions.promptWindow}. */
  readonly promptWindow?: number;
  /** File names by precision. */
  readonly graphs: Readonly<Record<string, string>>;
}

export interface DlmDrafterOptions {
  readonly drafter: DlmManifest;
  /** Path of a file of the model; its external weights lie beside it. */
  readonly resolve: (file: string) => string;
  /** How a lattice becomes a draft: beam search (CPS), a best-first tree, or argmax. A function makes one for each session. */
  readonly search: PathSearch | (() => PathSearch);
  readonly precision?: string;
  /** Threads of one operator. */
  readonly threads?: number;
  /** Eq. 7; maxCandidates may not exceed the manifest's `top`. The mask id is struck. Temperatures act on greedy drafts only. */
  readonly lattice?: Pick<
    LatticeOptions,
    "tau" | "maxCandidates" | "keepEos" | "stopAt" | "targetVocabularySize" | "temperatures"
  >;
  /** Ids that end a text; default the manifest's. */
  readonly eosIds?: readonly number[];
  /** S of Eq. 5: passes per draft. */
  readonly steps?: number;
  /**
   * Least masks of a block: the model sees at least so many, and only the asked length is proposed. For models that draft
   * better in blocks as long as those they were trained on; tiny-js accepts as much from a block of just the asked length.
   */
  readonly minMasks?: number;
  /** Most tokens the model proposes in a round, whatever is asked for; default and most: the manifest's maxMasks. */
  readonly maxLength?: number;
  /**
   * Most ids of a prompt that are read, the last ones; 1 or more. Default: the manifest's, else all. For models that draft
   * no better for the beginning of a long prompt, which costs time to read.
   */
  readonly promptWindow?: number;
  /**
   * Whether it reads the target's hidden rows, where the manifest names some. Without, it drafts for any target of its
   * vocabulary and looks at nothing but ids.
   */
  readonly taps?: boolean;
  /** Where the sampler is not greedy: weight of its noise against ln q / temperature. 0 drafts as if it were greedy. */
  readonly coupling?: number;
  readonly vocabulary?: Vocabulary;
  /** Name in statistics and messages. */
  readonly name?: string;
}

/** minMasks gives way to a smaller maxMasks of the manifest. */
export const DLM_DEFAULTS = { precision: "int8", steps: 1, minMasks: 1, taps: true, coupling: 2, name: "dlm" } as const;

const KNOWN: readonly string[] = [
  ...["drafter", "resolve", "search", "precision", "threads", "lattice", "eosIds", "steps", "minMasks"],
  ...["maxLength", "promptWindow", "taps", "coupling", "vocabulary", "name"],
];

/** @throws ERR_OPTION naming the first bad option, or field of the manifest's entry */
export function checkOptions(options: DlmDrafterOptions) {
  const unknown = Object.keys(options).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined)
    throw refuse(`The DLM drafter was given the option ${unknown}`, `its options are ${KNOWN.join(", ")}`);
  const manifest = checkManifest(options.drafter);
  const { precision, steps, taps, coupling, name } = { ...DLM_DEFAULTS, ...options };
  const { maxLength = manifest.maxMasks, minMasks = Math.min(DLM_DEFAULTS.minMasks, manifest.maxMasks) } = options;
  const { promptWindow = manifest.promptWindow ?? Number.POSITIVE_INFINITY } = options;
  if (promptWindow !== Number.POSITIVE_INFINITY) integer("promptWindow", promptWindow, 1, 2 ** 24);
  integer("steps", steps, 1, 64);
  integer("minMasks", minMasks, 1, manifest.maxMasks);
  integer("maxLength", maxLength, 1, manifest.maxMasks);
  if (typeof taps !== "boolean") throw refuse(`taps is ${taps}`, "it is true or false");
  if (!(coupling >= 0 && coupling < Number.POSITIVE_INFINITY))
    throw refuse(`coupling is ${coupling}`, "it is a finite number >= 0");
  if (typeof name !== "string" || name === "") throw refuse("name is not usable", "it is a text of its own");
  if (typeof options.resolve !== "function") throw refuse("resolve is missing", "it turns a file name into a path");
  if (typeof options.search !== "function" && typeof options.search?.search !== "function")
    throw refuse("search is missing", "it is a PathSearch, such as createBeamSearch() of @diffuspec/cps, or makes one");
  const graph = Object.hasOwn(manifest.graphs, precision) ? manifest.graphs[precision] : undefined;
  if (typeof graph !== "string")
    throw refuse(`precision is ${precision}`, `the model has ${Object.keys(manifest.graphs).join(", ")}`);
  const lattice = {
    ...LATTICE_DEFAULTS,
    maxCandidates: Math.min(LATTICE_DEFAULTS.maxCandidates, manifest.top),
    ...options.lattice,
    eosIds: options.eosIds ?? manifest.eosIds,
    struckIds: [manifest.maskId],
  };
  if (lattice.maxCandidates > manifest.top)
    throw refuse(
      `lattice.maxCandidates is ${lattice.maxCandidates}`,
      `the graph names no more than ${manifest.top} candidates of a position`,
    );
  const read = (taps && manifest.taps) || [];
  return { manifest, lattice, steps, minMasks, maxLength, promptWindow, taps: read, coupling, name, graph };
}

/** The manifest is a file: nothing in it is taken on trust. Sizes of the cache are checked where it is made. */
function checkManifest(manifest: DlmManifest): DlmManifest {
  if (typeof manifest !== "object" || manifest === null)
    throw refuse("drafter is missing", "it is the drafter's entry of the model's manifest");
  integer("drafter.vocabularySize", manifest.vocabularySize, 1, 2 ** 24);
  integer("drafter.positions", manifest.positions, 2, 2 ** 24);
  integer("drafter.contextLength", manifest.contextLength, 2, manifest.positions);
  integer("drafter.maskId", manifest.maskId, 0, manifest.vocabularySize - 1);
  integer("drafter.top", manifest.top, 1, manifest.vocabularySize);
  integer("drafter.maxMasks", manifest.maxMasks, 1, 1023);
  if (!Array.isArray(manifest.eosIds)) throw refuse("drafter.eosIds is missing", "it is an array of token ids");
  const taps: unknown = manifest.taps ?? [];
  if (!Array.isArray(taps) || !taps.every((tap) => tap === "output" || (Number.isInteger(tap) && tap >= 0)))
    throw refuse("drafter.taps is not usable", 'it lists layers of the target, or "output"');
  if (manifest.shift !== undefined && typeof manifest.shift !== "boolean")
    throw refuse(`drafter.shift is ${manifest.shift}`, "it is true or false");
  if (typeof manifest.graphs !== "object" || manifest.graphs === null)
    throw refuse("drafter.graphs is missing", "it names the graph of every precision");
  return manifest;
}
