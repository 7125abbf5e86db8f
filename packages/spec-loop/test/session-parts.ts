import type { Verifier } from "@diffuspec/contracts";
import { plainDecode } from "@diffuspec/testkit";
import { expect } from "vitest";
import { createSampler } from "../src/sampler.ts";

export const PROMPT = Array.from({ length: 40 }, (_, i) => (i * 7) % 20);
export const MODEL = { vocabularySize: 20, order: 3, seed: 4 };
export const withCode = (code: string) => expect.objectContaining({ code });
export const plain = async (verifier: Verifier, prompt: number[], maxTokens: number) =>
  (await plainDecode(verifier, prompt, createSampler({}, verifier.vocabularySize), { maxTokens })).tokens;
