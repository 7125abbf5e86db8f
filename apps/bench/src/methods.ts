import type { Generation, Round } from "@diffuspec/spec-loop";
import type { DrafterName, EngineOptions } from "diffuspec/engine";
import type { Pair } from "./pair.ts";

/** One completion by one method. Times in milliseconds. */
export interface Run {
  readonly ids: Int32Array;
  readonly prefillMs: number;
  /** From the prompt to the first tokens; for the one-row loop its prefill and a mean step. */
  readonly firstTokenMs: number;
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
  readonly name: string;
  run(prompt: Int32Array, maxTokens: number, onRound?: (round: Round) => void): Promise<Run>;
  dispose(): Promise<void>;
}

/** What each method of the table drafts with; `ar` is not a session: it is the fastest one-row loop. */
const SESSIONS = {
  arExact: { drafter: "none" },
  promptLookup: { drafter: "prompt-lookup" },
  recycling: { drafter: "recycling" },
  ngram: { drafter: "ngram" },
  dlmArgmax: { drafter: "dlm-argmax" },
  /** The best-first tree in the place of the beam. */
  tree: { drafter: "dlm", engine: { search: "tree" } },
  /** The diffusion model drafts every round. */
  everyRound: { drafter: "dlm" },
  /** The facade's default: where the n-gram is sure of its own continuation the diffusion model is not asked. */
  diffuspec: { drafter: "hybrid" },
} as const satisfies Record<string, { drafter: DrafterName; engine?: Partial<EngineOptions> }>;

export type MethodName = "ar" | keyof typeof SESSIONS;

export const LABELS: Readonly<Record<MethodName, string>> = {
  ar: "plain AR, one row",
  arExact: "plain AR, exact",
  promptLookup: "prompt lookup",
  recycling: "Token Recycling",
  ngram: "n-gram alone",
  dlmArgmax: "DLM argmax",
  tree: "DiffuSpec, tree",
  everyRound: "DiffuSpec, DLM every round",
  diffuspec: "DiffuSpec",
};
export const labelOf = (name: string): string => LABELS[name as MethodName] ?? name;

export const SPEED_METHODS = [
  ...["ar", "arExact", "promptLookup", "recycling", "ngram", "dlmArgmax", "everyRound", "diffuspec"],
] as readonly MethodName[];
export const SEARCH_METHODS = ["arExact", "dlmArgmax", "tree", "everyRound"] as const;
export const DEMO_METHODS = ["ar", "arExact", "promptLookup", "ngram", "dlmArgmax", "everyRound", "diffuspec"] as const;

/** Whether it can differ from arExact only by a fault. */
export const isDrafting = (name: string): boolean => name !== "ar" && name !== "arExact";

/** Whether the pair has the files for it. */
export const canRun = (name: MethodName, { engine }: Pair): boolean =>
  name === "ar" || engine.info.drafters.includes(SESSIONS[name].drafter);

export async function openMethod(name: MethodName, pair: Pair): Promise<Method> {
  if (name === "ar") return plainMethod(pair);
  const { drafter, engine } = { engine: undefined, ...SESSIONS[name] };
  const session = await (engine ? await pair.engineWith(engine) : pair.engine).openSession({ drafter });
  const generate = (prompt: Int32Array, maxTokens: number) => session.generate(prompt, { ...pair.sampling, maxTokens });
  return sessionMethod(name, generate, () => session.dispose());
}

export function openMethods(names: readonly MethodName[], pair: Pair): Promise<Method[]> {
  return Promise.all(names.map((name) => openMethod(name, pair)));
}

export function sessionMethod(
  name: string,
  generate: (prompt: Int32Array, maxTokens: number) => Generation,
  dispose: () => Promise<void>,
): Method {
  return {
    name,
    async run(prompt, maxTokens, onRound) {
      const { tokens, totals, firstTokenMs, lengths } = await runWhole(generate, prompt, maxTokens, onRound);
      return { ...totals, ids: tokens, firstTokenMs, decodeMs: totals.wallMs - totals.prefillMs, lengths };
    },
    dispose,
  };
}

/**
 * A generation in a session whose cache a prompt that begins otherwise has emptied: all of the prefill is its own, as for the
 * one-row loop.
 */
export async function runWhole(
  generate: (prompt: Int32Array, maxTokens: number) => Generation,
  prompt: Int32Array,
  maxTokens: number,
  onRound?: (round: Round) => void,
) {
  for await (const _ of generate(Int32Array.of(prompt[0] === 0 ? 1 : 0), 1));
  const begun = performance.now();
  const generation = generate(prompt, maxTokens);
  const lengths: number[] = [];
  let firstTokenMs = 0;
  for (;;) {
    const { done, value } = await generation.next();
    if (done) return { ...value, firstTokenMs, lengths };
    if (lengths.length === 0) firstTokenMs = performance.now() - begun;
    lengths.push(value.stats.length);
    onRound?.(value);
  }
}

function plainMethod(pair: Pair): Method {
  return {
    name: "ar",
    async run(prompt, maxTokens) {
      const { ids, prefillMs, decodeMs } = await pair.plain.decode(prompt, { maxTokens, sampler: pair.sampler });
      const none = { accepted: 0, drafted: 0, draftMs: 0, searchMs: 0, lengths: [] };
      // the first token comes out of the prefill
      return { ids, prefillMs, firstTokenMs: prefillMs, decodeMs, rounds: ids.length, verifyMs: decodeMs, ...none };
    },
    dispose: async () => {},
  };
}
