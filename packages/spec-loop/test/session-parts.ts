import type { Verifier, VerifierSession } from "@diffuspec/contracts";
import { plainDecode } from "@diffuspec/testkit";
import { expect } from "vitest";
import { createSampler } from "../src/sampler.ts";

export const PROMPT = Array.from({ length: 40 }, (_, i) => (i * 7) % 20);
export const MODEL = { vocabularySize: 20, order: 3, seed: 4 };
export const withCode = (code: string) => expect.objectContaining({ code });

/** The verifier with some methods of its sessions replaced. */
export function withSessions(
  inner: Verifier,
  change: (session: VerifierSession) => Partial<VerifierSession>,
): Verifier {
  return {
    ...inner,
    async open() {
      const session = await inner.open();
      const { prefill, verify, commit, dispose } = session;
      return {
        get length() {
          return session.length;
        },
        ...{ prefill, verify, commit, dispose },
        ...change(session),
      };
    },
  };
}

export const plain = async (verifier: Verifier, prompt: number[], maxTokens: number) =>
  (await plainDecode(verifier, prompt, createSampler({}, verifier.vocabularySize), { maxTokens })).tokens;
