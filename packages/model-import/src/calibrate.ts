import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { targetGraph } from "./graph/graphs.ts";
import type { GraphShape } from "./graph/layers.ts";
import type { ModelSource } from "./source/source.ts";
import type { Step } from "./weights/plan.ts";
import { isSmoothed, type Smoothing, smoothingOf } from "./weights/smoothing.ts";
import { storeRope, storeWeights } from "./weights/store.ts";
import { createWeightFile } from "./weights/weight-file.ts";

/** A chain graph that also tells how large the inputs of its products become. */
export interface CalibrationGraph {
  /** Of the ONNX file. */
  readonly path: string;
  readonly shape: GraphShape;
  /** Outputs to fetch, float32, each largest magnitudes over the rows of a pass. */
  readonly outputs: readonly string[];
  /** tokenizer.json, as text. */
  readonly tokenizer: string;
  /** A text begins with it, where the model was trained so. */
  readonly bosId: number | undefined;
}

/** Runs some text through the graph, and gives the largest values of every output over all passes. */
export type Calibrate = (graph: CalibrationGraph) => Promise<Readonly<Record<string, Float32Array>>>;

const PEAKS = "peaks.json";

/**
 * Writes a graph over plain int8 weights, multiplied in float32, has it run, and turns what it saw into a smoothing. The
 * peaks stay in the folder until the import is complete, so that a resumed one fits its weights to the same.
 *
 * @throws ERR_PARSE where peaks are missing or not finite, ERR_ABORTED, and what `calibrate` throws
 */
export async function calibrated(
  dir: string,
  source: ModelSource,
  steps: readonly Step[],
  parts: { shape: GraphShape; tokenizer: string; calibrate: Calibrate; signal?: AbortSignal },
): Promise<Smoothing> {
  const { signal } = parts;
  const known = await readFile(join(dir, PEAKS), "utf8").catch(() => undefined);
  const found = known === undefined ? await measure(dir, source, steps, parts) : (JSON.parse(known) as Numbers);
  const peaks = new Map(Object.entries(found).map(([name, values]) => [name, Float32Array.from(values)]));
  return smoothingOf(source, steps, peaks, signal);
}

/** Peaks by step. */
type Numbers = Record<string, readonly number[]>;

async function measure(
  dir: string,
  source: ModelSource,
  steps: readonly Step[],
  { shape, tokenizer, calibrate, signal }: Parameters<typeof calibrated>[3],
): Promise<Numbers> {
  const files = ["calibration.bin", "calibration.onnx"].map((name) => join(dir, name)) as [string, string];
  const weights = await createWeightFile(files[0]);
  try {
    await storeRope(weights, source.config.rope, shape.headDim, shape.positions);
    await storeWeights(source, steps, weights, { precision: "int8", ...(signal && { signal }) });
  } finally {
    await weights.close();
  }
  const graph = { shape, weights, arithmetic: "fp32", kind: "chain", name: "calibration", givesPeaks: true } as const;
  await writeFile(files[1], targetGraph(graph));
  const names = steps.filter(isSmoothed).map(({ name }) => name);
  const outputs = names.map((name) => `peak_${name}`);
  const seen = await calibrate({ path: files[1], shape, outputs, tokenizer, bosId: source.config.bosId });
  const peaks = Object.fromEntries(names.map((name) => [name, [...(seen[`peak_${name}`] ?? [])]]));
  await writeFile(join(dir, PEAKS), JSON.stringify(peaks));
  await Promise.all(files.map((file) => rm(file)));
  return peaks;
}

/** Removes what a resumed import would have needed. */
export const forgetPeaks = (dir: string): Promise<void> => rm(join(dir, PEAKS), { force: true });
