import type { Round } from "@diffuspec/spec-loop";
import type { DrafterName, EngineOptions } from "diffuspec/engine";
import type { Pair } from "./pair.ts";

/** One completion by one method. Times in milliseconds. */
export interface Run {
  readonly ids: Int32Array;
  readonly prefillMs: number;
  /** Everything after prefill. */
  readonly decodeMs: number;
  readonly rounds: number;
  readonly accepted: number;
  readonly drafted: number;
  readonly draftMs: number;
  readonly searchMs: number;
  readonly verifyMs: number;
  /** Draft lengths asked for, by round. */
  readonly lengths: readonly number[];
}

export interface Method {
  readonly name: MethodName;
  run(prompt: Int32Array, maxTokens: number, onRound?: (round: Round) => void): Promise<Run>;
  dispose(): Promise<void>;
}

/** What each method of the table drafts with; `ar` is not a session: it is the fastest one-row loop. */
const SESSIONS = {
  arExact: { drafter: "none" },
  promptLookup: { drafter: "prompt-lookup" },
  ngram: { drafter: "ngram" },
  recycling: { drafter: "recycling" },
  dlmArgmax: { drafter: "dlm-argmax" },
  /** DiffuSpec with a drafter that looks at nothing but ids. */
  idsOnly: { drafter: "dlm", engine: { taps: false } },
  /** The best-first tree in the place of the beam. */
  tree: { drafter: "dlm", engine: { search: "tree" } },
  /** The diffusion model drafts every round. */
  everyRound: { drafter: "dlm" },
  /** The facade's default: where the n-gram is sure of its own continuation the diffusion model is not asked. */
  diffuspec: { drafter: "hybrid" },
} as const satisfies Record<string, { drafter: DrafterName; engine?: Partial<EngineOptions> }>;

export type MethodName = "ar" | keyof typeof SESSIONS;
export const METHOD_NAMES = ["ar", ...Object.keys(SESSIONS)] as readonly MethodName[];
export const SEARCH_METHODS = ["arExact", "dlmArgmax", "tree", "everyRound"] as const;
export const DEMO_METHODS = ["ar", "arExact", "promptLookup", "ngram", "dlmArgmax", "everyRound", "diffuspec"] as const;

export async function openMethod(name: MethodName, pair: Pair): Promise<Method> {
  if (name === "ar") return plainMethod(pair);
  const { drafter, engine } = { engine: undefined, ...SESSIONS[name] };
  const session = await (engine ? await pair.engineWith(engine) : pair.engine).openSession({ drafter });
  return {
    name,
    async run(prompt, maxTokens, onRound) {
      const generation = session.generate(prompt, { ...pair.sampling, maxTokens });
      const lengths: number[] = [];
      for (;;) {
        const { done, value } = await generation.next();
        if (done) {
          const { totals, tokens } = value;
          return { ...totals, ids: tokens, decodeMs: totals.wallMs - totals.prefillMs, lengths };
        }
        lengths.push(value.stats.length);
        onRound?.(value);
      }
    },
    dispose: () => session.dispose(),
  };
}

function plainMethod(pair: Pair): Method {
  return {
    name: "ar",
    async run(prompt, maxTokens) {
      const { ids, prefillMs, decodeMs } = await pair.plain.decode(prompt, { maxTokens, sampler: pair.sampler });
      const none = { accepted: 0, drafted: 0, draftMs: 0, searchMs: 0, lengths: [] };
      return { ids, prefillMs, decodeMs, rounds: ids.length, verifyMs: decodeMs, ...none };
    },
    dispose: async () => {},
  };
}
