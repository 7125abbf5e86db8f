import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TokenTree } from "@diffuspec/contracts";
import { createVerifier, type OnnxVerifier, type TargetManifest, type VerifierOptions } from "../src/index.ts";

/** The random model of training/tiny-js/make_fixture.py: 64 ids, 2 layers, context 96. */
export const resolve = (file: string): string =>
  fileURLToPath(new URL(`../../onnx-decoder/test/fixture/${file}`, import.meta.url));
export const target: TargetManifest = JSON.parse(readFileSync(resolve("manifest.json"), "utf8")).target;

export const open = (options: Partial<VerifierOptions> = {}): Promise<OnnxVerifier> =>
  createVerifier({ target, resolve, threads: 1, ...options });

/** Uniform integers below n, the same for the same seed. */
export function randomInts(seed: number): (n: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
}

/** A tree whose node `i` hangs under the one before with a chance, and anywhere above it otherwise. */
export function randomTree(
  random: (n: number) => number,
  root: number,
  nodes: number,
  chainPercent: number,
): TokenTree {
  return {
    tokens: Int32Array.from({ length: nodes }, (_, i) => (i === 0 ? root : random(target.vocabularySize))),
    parents: Int32Array.from({ length: nodes }, (_, i) =>
      i === 0 ? -1 : random(100) < chainPercent ? i - 1 : random(i),
    ),
  };
}
