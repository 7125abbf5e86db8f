import { parseError } from "../errors.ts";
import type { ModelSource } from "../source/source.ts";
import type { Step } from "./plan.ts";
import { readBlocks } from "./read-blocks.ts";

/**
 * For the inputs of a product, by the step's name: what they are divided by, and the weights multiplied by. Nothing changes
 * but the rounding: a few large inputs no longer decide the scale of a whole row.
 */
export type Smoothing = ReadonlyMap<string, Float32Array>;

/** The products whose inputs something before them can divide: a norm's gain, or the rows of the up matrix. */
export const isSmoothed = ({ name }: Pick<Step, "name">): boolean => /\.(qkv|gate_up|down)$/.test(name);

/** Keeps an input that was never seen from having no weight. */
const LEAST = 1e-4;

/**
 * Half of an input's range goes to its weights: s = sqrt(peak of the input / peak of its weights), as in SmoothQuant
 * (arXiv 2211.10438, eq. 4 with alpha 0.5).
 *
 * @param peaks largest magnitude of every input over some text, by step
 */
export async function smoothingOf(
  source: ModelSource,
  steps: readonly Step[],
  peaks: ReadonlyMap<string, Float32Array>,
  signal?: AbortSignal,
): Promise<Smoothing> {
  const out = new Map<string, Float32Array>();
  for (const step of steps.filter(isSmoothed)) {
    const peak = peaks.get(step.name);
    if (peak?.length !== step.columns || !peak.every((x) => x >= 0 && x < Number.POSITIVE_INFINITY))
      throw parseError("The calibration", `it has no ${step.columns} finite peaks for ${step.name}`);
    const weights = new Float32Array(step.columns);
    for await (const { values } of readBlocks(source, step, signal))
      for (let i = 0; i < values.length; i++) {
        const column = i % step.columns;
        weights[column] = Math.max(weights[column]!, Math.abs(values[i]!));
      }
    out.set(
      step.name,
      peak.map((x, column) => Math.sqrt(Math.max(x, LEAST) / Math.max(weights[column]!, LEAST))),
    );
  }
  return out;
}

/** Divides the gains of the norm before a smoothed product, in place. */
export function smoothGains(name: string, gains: Float32Array, smoothing: Smoothing): void {
  const by = smoothing.get(name.replace(/norm1$/, "qkv").replace(/norm2$/, "gate_up"));
  if (by && /\.norm[12]$/.test(name)) for (let i = 0; i < gains.length; i++) gains[i]! /= by[i]!;
}

/** Divides the biases of the up matrix, as its rows are, in place. */
export function smoothBias(step: Step, part: number, bias: Float32Array, smoothing: Smoothing): void {
  const by = rowsOfUp(step, part, smoothing);
  if (by) for (let i = 0; i < bias.length; i++) bias[i]! /= by[i]!;
}

/** Multiplies a block's columns; rows of the up matrix are divided, for the inputs of the down matrix. In place. */
export function smoothBlock(
  step: Step,
  block: { readonly values: Float32Array; readonly part: number; readonly first: number },
  smoothing: Smoothing,
): void {
  const { values, part, first } = block;
  const times = smoothing.get(step.name);
  const by = rowsOfUp(step, part, smoothing);
  for (let i = 0; i < values.length; i++) {
    if (times) values[i]! *= times[i % step.columns]!;
    if (by) values[i]! /= by[first + Math.floor(i / step.columns)]!;
  }
}

/** Divisors of the up matrix's outputs, which the down matrix reads; undefined for all other rows. */
const rowsOfUp = ({ name }: Step, part: number, smoothing: Smoothing): Float32Array | undefined =>
  part === 1 && name.endsWith(".gate_up") ? smoothing.get(name.replace(/gate_up$/, "down")) : undefined;
