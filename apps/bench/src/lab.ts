import {
  ADL_TINY_JS,
  type ConfidenceOptions,
  createAdl,
  createConfidence,
  type RoundLog,
  withRoundLog,
} from "@diffuspec/adl";
import type { CausalScorer, Drafter, LengthController, PathSearch } from "@diffuspec/contracts";
import {
  BEAM_DEFAULTS,
  createArgmaxSearch,
  createBeamSearch,
  createPooledSearch,
  createTreeSearch,
  POOLED_DEFAULTS,
} from "@diffuspec/cps";
import { createDlmDrafter, type DlmManifest } from "@diffuspec/drafter-dlm";
import { openModel } from "@diffuspec/model-files";
import { createOnlineScorer, createUniformScorer, decodeNgram, followText } from "@diffuspec/ngram-scorer";
import { openSession } from "@diffuspec/spec-loop";
import type { EngineOptions } from "diffuspec/engine";
import { type Method, type Run, sessionMethod } from "./methods.ts";
import type { Pair } from "./pair.ts";

interface Beam {
  readonly lambda?: number;
  readonly beam?: number;
  readonly cut?: number;
}

interface Pool {
  readonly positions?: number;
  readonly cut: number;
}

/** The pair's diffusion drafter in every round; what is left out is as the pair ships it. An object without `pooled` asks for Eq. 8. */
export interface Setting {
  readonly name: string;
  /** The number that a set varies, for plots over it. */
  readonly x?: number;
  readonly search?:
    | "argmax"
    | "tree"
    | (Beam & { readonly tree?: { readonly maxNodes?: number }; readonly pooled?: Pool });
  readonly lattice?: EngineOptions["lattice"];
  readonly steps?: number;
  /** Whether the drafter reads the target's hidden rows. */
  readonly taps?: boolean;
  readonly controller?: () => LengthController;
}

/** A run that also tells its rounds with a draft. */
export interface LoggedRun extends Run {
  readonly log: readonly RoundLog[];
}

/** Diffusion drafters of any setting over the target of one pair, which is loaded once. */
export interface Lab {
  readonly drafter: DlmManifest;
  open(setting: Setting): Promise<Method>;
  /** The drafters; the pair stays. */
  dispose(): Promise<void>;
}

/** @throws an Error where the pair has no diffusion drafter */
export async function openLab(pair: Pair): Promise<Lab> {
  const { info, verifier } = pair.engine;
  const files = await openModel(info.directory);
  const { drafter, draft, target, ngram } = files.manifest as unknown as {
    drafter?: DlmManifest;
    draft?: {
      lattice?: EngineOptions["lattice"];
      search?: Beam & { online?: boolean; pooled?: Pool };
      ngram?: EngineOptions["ngram"];
      lengthController?: { confidence: ConfidenceOptions };
    };
    target: { eosIds: readonly number[] };
    ngram?: string;
  };
  if (drafter === undefined)
    throw new Error(`${pair.name} has no diffusion drafter, so there is nothing to take away.`);
  const { online: _, pooled: shipped, ...beam } = draft?.search ?? {};
  const poolOf = (search: Setting["search"]) =>
    search === undefined ? shipped : typeof search === "object" ? search.pooled : undefined;
  const model = ngram === undefined ? undefined : decodeNgram(await files.read(ngram));
  const made = new Map<string, Promise<Drafter>>();

  function searchOf(search: Setting["search"]): () => PathSearch {
    if (search === "argmax") return () => createArgmaxSearch();
    const { eosIds } = target;
    const pool = poolOf(search);
    const { tree, pooled: _, ...given } = search === "tree" ? { tree: {} } : (search ?? {});
    const common = { ...(search !== "tree" && beam), ...given, eosIds };
    const over = <State>(scorer: CausalScorer<State>) => {
      if (pool) return createPooledSearch({ scorer, eosIds, cut: pool.cut });
      return tree ? createTreeSearch({ scorer, ...common, ...tree }) : createBeamSearch({ scorer, ...common });
    };
    return () =>
      model
        ? over(followText(createOnlineScorer(model, pool && { longest: 8, ...draft?.ngram?.recent })))
        : over(createUniformScorer(verifier.vocabularySize));
  }

  function drafterOf({ search, lattice, steps = 1, taps = true }: Setting): Promise<Drafter> {
    const key = JSON.stringify([search, lattice, steps, taps]);
    const lambda = typeof search === "object" ? (search.lambda ?? beam.lambda) : beam.lambda;
    const pool = poolOf(search);
    const weight =
      search === "argmax" ? 1 : pool ? POOLED_DEFAULTS.drafterWeight : (lambda ?? BEAM_DEFAULTS.lambda) || 1;
    const known =
      made.get(key) ??
      createDlmDrafter({
        drafter: drafter!,
        resolve: (file) => files.path(file),
        search: searchOf(search),
        lattice: { ...draft?.lattice, ...lattice, targetVocabularySize: verifier.vocabularySize },
        steps,
        taps,
        ...(pool?.positions && { maxLength: pool.positions }),
        coupling: 1 / weight,
        threads: info.threads,
      });
    made.set(key, known);
    return known;
  }

  return {
    drafter,
    async open(setting) {
      const confidence = draft?.lengthController?.confidence;
      const controller = setting.controller?.() ?? (confidence ? createConfidence(confidence) : createAdl(ADL_TINY_JS));
      let log: RoundLog[] = [];
      const session = await openSession({
        verifier,
        drafter: await drafterOf(setting),
        controller: withRoundLog(controller, (round) => round.length > 0 && log.push(round)),
      });
      const generate = (prompt: Int32Array, maxTokens: number) =>
        session.generate(prompt, { maxTokens, sampler: pair.sampling });
      const method = sessionMethod(setting.name, generate, () => session.dispose());
      return {
        ...method,
        async run(...given): Promise<LoggedRun> {
          log = [];
          return { ...(await method.run(...given)), log };
        },
      };
    },
    async dispose() {
      for (const one of made.values()) await (await one).dispose?.();
      made.clear();
    },
  };
}
