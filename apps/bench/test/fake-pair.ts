import type { Verifier } from "@diffuspec/contracts";
import { createSampler, openSession } from "@diffuspec/spec-loop";
import { createFakeVerifier, oracleDrafter, plainDecode } from "@diffuspec/testkit";
import type { Engine } from "diffuspec/engine";
import type { Pair } from "../src/pair.ts";

export const honest = createFakeVerifier({ vocabularySize: 50, seed: 3, contextLength: 300, eosIds: [] });
const idsOf = (text: string) => Int32Array.from([...text].map((letter) => letter.charCodeAt(0) % 50));

/** A pair whose drafts are the target's own text, seen through `drafted`. */
export function pairOver(drafted: Verifier, drafters = ["prompt-lookup", "ngram", "hybrid", "none"]): Pair {
  const sampler = createSampler({}, 50);
  const engine = {
    info: { drafters, chat: false, precision: "int8", threads: 1 },
    encode: idsOf,
    tokenizer: { decode: (ids: Int32Array) => [...ids].join(" ") },
    openSession: async ({ drafter }: { drafter: string }) =>
      drafter === "none"
        ? openSession({ verifier: honest })
        : openSession({ verifier: drafted, drafter: oracleDrafter(honest.model) }),
  } as unknown as Engine;
  return {
    name: "fake",
    engine,
    engineWith: async () => engine,
    sampling: {},
    sampler,
    plain: {
      precision: "fp32",
      decode: async (prompt, { maxTokens }) => ({
        ids: Int32Array.from((await plainDecode(honest, prompt, sampler, { maxTokens })).tokens),
        prefillMs: 1,
        decodeMs: 1,
      }),
      dispose: async () => {},
    },
    dispose: async () => {},
  };
}
