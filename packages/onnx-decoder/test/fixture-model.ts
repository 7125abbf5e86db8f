import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createDecoder, type Decoder, type DecoderShape } from "../src/index.ts";

const read = (file: string) => JSON.parse(readFileSync(fixturePath(file), "utf8"));

/** A file of the random model that training/tiny-js/make_fixture.py wrote. */
export function fixturePath(file: string): string {
  return fileURLToPath(new URL(`./fixture/${file}`, import.meta.url));
}

export interface Golden {
  readonly ids: number[];
  readonly int8: GoldenRun;
  readonly fp32: GoldenRun;
}
export interface GoldenRun {
  readonly argmax: number[];
  readonly lastLogits: number[];
  readonly lastTaps: number[][];
  readonly lastKeysAndValues: number[];
  readonly logSumExp: number[];
}

export const manifest: {
  target: DecoderShape & { contextLength: number };
  drafter: DecoderShape & { maskId: number; top: number };
  /** A second drafter, which reads two hidden rows of the target. */
  tapped: DecoderShape & { maskId: number; top: number };
} = read("manifest.json");
export const golden: { target: Golden; drafter: Golden; tapped: Golden } = read("golden.json");

export const load = (file: string, shape: DecoderShape = manifest.target): Promise<Decoder> =>
  createDecoder({ graph: fixturePath(file), shape, threads: 1, label: file });
