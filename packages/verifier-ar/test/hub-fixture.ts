import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createHubVerifier, type HubVerifier, type HubVerifierOptions } from "../src/index.ts";

const folder = fileURLToPath(new URL("../../onnx-decoder/test/hub/", import.meta.url));

/** The random Llama model of onnx-decoder's make_hub_fixture.py: 64 ids, 2 layers, 160 positions. */
export const directory = `${folder}target`;

/** Numbers of the same model from NumPy. */
export const golden: {
  readonly ids: number[];
  readonly argmax: number[];
  readonly lastLogits: number[];
  readonly greedy: number[];
  readonly leastMargin: number;
  readonly fp16: { readonly lastLogits: number[] };
} = JSON.parse(readFileSync(`${folder}golden.json`, "utf8")).target;

export const openHub = (options: Partial<HubVerifierOptions> = {}): Promise<HubVerifier> =>
  createHubVerifier({ directory, threads: 1, ...options });
