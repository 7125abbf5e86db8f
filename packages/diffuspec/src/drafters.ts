import {
  type CausalScorer,
  DiffuSpecError,
  type Drafter,
  type DraftStart,
  type PathSearch,
  type Tokenizer,
} from "@diffuspec/contracts";
import {
  BEAM_DEFAULTS,
  createArgmaxSearch,
  createBeamSearch,
  createPooledSearch,
  createTreeSearch,
  POOLED_DEFAULTS,
} from "@diffuspec/cps";
import { createDlmDrafter, type DlmManifest } from "@diffuspec/drafter-dlm";
import { createCascade } from "@diffuspec/drafters/cascade";
import { createPromptLookup } from "@diffuspec/drafters/prompt-lookup";
import { createRecycling } from "@diffuspec/drafters/recycling";
import { createNgramScorer, createOnlineScorer, followText, type NgramModel } from "@diffuspec/ngram-scorer";
import { defined } from "./checks.ts";
import type { HubDrafterModel } from "./hub-drafter.ts";
import { openNgram } from "./ngram.ts";
import { createNgramDrafter } from "./ngram-drafter.ts";
import { NGRAM_DEFAULTS } from "./ngram-option.ts";
import { DRAFTER_NAMES, type DrafterName, type EngineOptions } from "./options.ts";
import type { Pair } from "./pair.ts";
import type { Target } from "./target.ts";

export interface Drafters {
  /** The drafters this model has the files for. */
  readonly available: readonly DrafterName[];
  /** @throws ERR_OPTION where the model cannot run it */
  require(name: DrafterName): void;
  /** Loads a drafter once; all sessions share it. Undefined for "none". */
  get(name: DrafterName): Promise<Drafter | undefined>;
  dispose(): Promise<void>;
}

const NEED_MODEL: readonly DrafterName[] = ["dlm", "dlm-argmax", "hybrid"];

/** Every drafter of a model by name, made when first asked for. */
export function createDrafters(parts: {
  pair: Pair;
  tokenizer: Tokenizer;
  verifier: Target;
  /** In place of the pair's own diffusion drafter. */
  hubDrafter: HubDrafterModel | undefined;
  settings: EngineOptions;
}): Drafters {
  const { pair, verifier, tokenizer, hubDrafter, settings } = parts;
  const made = new Map<DrafterName, Promise<Drafter | undefined>>();
  const hasModel = hubDrafter !== undefined || pair.manifest.drafter !== undefined;
  const available = DRAFTER_NAMES.filter((name) => hasModel || !NEED_MODEL.includes(name));
  const require = (name: DrafterName) => {
    if (!available.includes(name)) throw unavailable(name, pair.manifest.name, available);
  };

  /**
   * @param coupling weight of a sampler's noise: its full weight after the search has weighed the drafter
   * @param positions most tokens it drafts; default all that are asked for
   */
  async function dlm(
    name: DrafterName,
    search: PathSearch | (() => PathSearch),
    coupling: number,
    positions?: number,
  ): Promise<Drafter> {
    const { threads } = verifier.chain;
    if (hubDrafter) return hubDrafter.create({ name, search, coupling, threads });
    const { lattice, steps, taps } = settings;
    const drafter = pair.manifest.drafter as unknown as DlmManifest;
    return createDlmDrafter({
      drafter,
      resolve: pair.files.path,
      search,
      precision: drafterPrecision(settings.precision, drafter.graphs),
      lattice: { ...lattice, targetVocabularySize: verifier.vocabularySize },
      steps,
      taps,
      ...(positions !== undefined && { maxLength: Math.min(positions, drafter.maxMasks) }),
      coupling,
      vocabulary: tokenizer.vocabulary,
      name,
      threads,
    });
  }

  let ngram: Promise<NgramModel> | undefined;
  const theNgram = () => {
    ngram ??= openNgram(pair, verifier.vocabularySize);
    return ngram;
  };

  /** The path search with the model's n-gram, topped up with each session's own text. */
  async function cps(): Promise<() => PathSearch> {
    const { eosIds } = pair.manifest;
    const { online = true, tree, pooled: _, ...beam } = settings.search === "tree" ? { tree: {} } : settings.search;
    const pooled = pooledOf(settings);
    const model = await theNgram();
    const searchWith = <State>(scorer: CausalScorer<State>) => {
      if (pooled) return createPooledSearch({ scorer, eosIds, cut: pooled.cut });
      if (tree) return createTreeSearch({ scorer, eosIds, ...defined(beam), ...defined(tree) });
      return createBeamSearch({ scorer, eosIds, ...defined(beam) });
    };
    const topped = () => followText(createOnlineScorer(model, pooled && recentOf(settings)));
    return () => searchWith(online ? topped() : createNgramScorer(model));
  }

  async function make(name: DrafterName): Promise<Drafter | undefined> {
    require(name);
    switch (name) {
      case "dlm":
        return dlm(name, await cps(), 1 / (drafterWeight(settings) || 1), pooledOf(settings)?.positions);
      case "dlm-argmax":
        return dlm(name, createArgmaxSearch(), 1);
      case "prompt-lookup":
        return createPromptLookup();
      case "recycling":
        return createRecycling({ vocabularySize: verifier.vocabularySize });
      case "ngram": {
        const { cut = NGRAM_DEFAULTS.cut } = settings.ngram;
        return createNgramDrafter({
          model: await theNgram(),
          endIds: pair.manifest.eosIds,
          cut,
          recent: recentOf(settings),
        });
      }
      case "hybrid": {
        const { least = NGRAM_DEFAULTS.least } = settings.ngram;
        const [first, otherwise] = [(await get("ngram"))!, (await get("dlm"))!];
        const alone = ({ sampler }: DraftStart) => sampler.temperature > 0;
        return { ...createCascade({ first, otherwise, least, alone, name }), dispose: async () => {} };
      }
      case "none":
        return undefined;
    }
  }

  function get(name: DrafterName): Promise<Drafter | undefined> {
    const known = made.get(name);
    if (known) return known;
    const making = make(name);
    made.set(name, making);
    making.catch(() => made.delete(name));
    return making;
  }

  return {
    available,
    require,
    get,
    async dispose() {
      const all = await Promise.allSettled(made.values());
      made.clear();
      for (const result of all) if (result.status === "fulfilled") await result.value?.dispose?.();
    },
  };
}

const recentOf = ({ ngram }: EngineOptions) => ({ ...NGRAM_DEFAULTS.recent, ...ngram.recent });

/** The target's precision where the drafter has it, else int8, else what it has. */
function drafterPrecision(precision: string, graphs: DlmManifest["graphs"] | undefined): string {
  const has = Object.keys(graphs ?? {});
  return [precision, "int8", ...has].find((name) => has.includes(name)) ?? precision;
}

/** What ln q is multiplied with in the search. */
function drafterWeight(settings: EngineOptions): number {
  if (pooledOf(settings)) return POOLED_DEFAULTS.drafterWeight;
  return (settings.search === "tree" ? undefined : settings.search.lambda) ?? BEAM_DEFAULTS.lambda;
}

/** The constants of the pooled search, where it is wanted. */
function pooledOf({ search }: EngineOptions): { readonly positions?: number; readonly cut: number } | undefined {
  const { pooled = false } = search === "tree" ? {} : search;
  if (pooled === false) return undefined;
  return { cut: NGRAM_DEFAULTS.cut, ...(pooled === true ? {} : defined(pooled)) };
}

function unavailable(name: DrafterName, model: string, available: readonly DrafterName[]): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: `drafter is "${name}"`,
    why: `${model} has no files for it`,
    next: `This model runs ${available.join(", ")}.`,
    details: { option: "drafter", available },
  });
}
