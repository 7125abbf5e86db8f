import { type Rope, rotaryTables } from "../graph/rope.ts";
import type { ModelSource } from "../source/source.ts";
import type { Step } from "./plan.ts";
import { quantiseBlocks, quantiseRows } from "./quantise.ts";
import { readBlocks } from "./read-blocks.ts";
import { type Smoothing, smoothBias, smoothBlock, smoothGains } from "./smoothing.ts";
import type { WeightFile } from "./weight-file.ts";

/**
 * How weights are stored and multiplied: float32 as they are; int8 with a scale for every output; int4 in blocks of 32
 * inputs with a scale each (the embedding and the LM head stay at 8 bits).
 */
export type Precision = "int8" | "fp32" | "int4";

export interface StoreOptions {
  readonly precision: Precision;
  /** Called with the source bytes of what was stored, or found stored. */
  readonly onStored?: (bytes: number) => void;
  readonly signal?: AbortSignal;
  /** Only for int8: other precisions round too little, or in blocks too small, to gain by it. */
  readonly smoothing?: Smoothing;
}

const BLOCK = 32;

/**
 * Puts a model's weights into a weight file, step by step; what the file has already is skipped.
 *
 * @throws ERR_ABORTED between two reads, ERR_PARSE where the source ends early
 */
export async function storeWeights(
  source: ModelSource,
  steps: readonly Step[],
  file: WeightFile,
  options: StoreOptions,
): Promise<void> {
  const tied = !steps.some(({ name }) => name === "head");
  for (const step of steps) {
    if (step.kind === "vector") await storeVector(source, step, file, options);
    else if (step.kind === "embedding") await storeEmbedding(source, step, file, options, tied);
    else await storeLinear(source, step, file, options);
    options.onStored?.(bytesOf(source, step));
  }
}

export const bytesOf = (source: ModelSource, { parts }: Step): number =>
  parts.reduce((sum, part) => sum + source.shape(`${part}.weight`)!.bytes, 0);

/** The rotary tables, float32 [positions, headDim / 2]. */
export async function storeRope(file: WeightFile, rope: Rope, headDim: number, positions: number): Promise<void> {
  const { cos, sin } = rotaryTables(rope, headDim, positions);
  const dims = [positions, headDim / 2];
  if (!file.has("cos")) await file.add("cos", "float32", dims, cos);
  if (!file.has("sin")) await file.add("sin", "float32", dims, sin);
}

async function storeVector(source: ModelSource, step: Step, file: WeightFile, options: StoreOptions): Promise<void> {
  const { name, parts, columns } = step;
  if (file.has(name)) return;
  const values = await source.readRows(`${parts[0]}.weight`, 0, 1);
  if (options.smoothing) smoothGains(name, values, options.smoothing);
  await file.add(name, "float32", [columns], values);
}

/** Row by row, as it lies. In int4 the lookup has int8 rows and the product with it 8-bit blocks. */
async function storeEmbedding(
  source: ModelSource,
  step: Step,
  file: WeightFile,
  options: StoreOptions,
  tied: boolean,
): Promise<void> {
  const { name, columns } = step;
  const rows = step.rows[0]!;
  const { precision } = options;
  if (precision === "fp32") {
    if (!file.has(`${name}.w`))
      await file.add(
        `${name}.w`,
        "float32",
        [rows, columns],
        map(readAll(source, step, options), (block) => block),
      );
    return;
  }
  if (precision === "int8" || name === "embedding") await int8Rows(source, step, file, options, name);
  if (precision === "int4" && (name === "head" || tied)) await blockRows(source, step, file, options, "head", 8);
}

/** Quantised, then turned: kernels want [in, out]. MatMulNBits wants [out, blocks]. */
async function storeLinear(source: ModelSource, step: Step, file: WeightFile, options: StoreOptions): Promise<void> {
  const { name, columns, parts, rows, bias } = step;
  const outputs = rows.reduce((a, b) => a + b, 0);
  if (bias && !file.has(`${name}.b`)) {
    const all = new Float32Array(outputs);
    let at = 0;
    for (const [i, part] of parts.entries()) {
      const values = await source.readRows(`${part}.bias`, 0, 1);
      if (options.smoothing) smoothBias(step, i, values, options.smoothing);
      all.set(values, at);
      at += values.length;
    }
    await file.add(`${name}.b`, "float32", [outputs], all);
  }
  if (options.precision === "int4") return blockRows(source, step, file, options, name, 4);
  if (options.precision === "fp32") {
    if (file.has(`${name}.w`)) return;
    const turned = new Float32Array(columns * outputs);
    let first = 0;
    for await (const block of readAll(source, step, options)) first += turn(block, turned, columns, outputs, first);
    return file.add(`${name}.w`, "float32", [columns, outputs], turned);
  }
  if (file.has(`${name}.s`)) return;
  const turned = new Int8Array(columns * outputs);
  const scales = new Float32Array(outputs);
  let first = 0;
  for await (const block of readAll(source, step, options)) {
    const { q, scales: some } = quantiseRows(block, columns);
    scales.set(some, first);
    first += turn(q, turned, columns, outputs, first);
  }
  if (!file.has(`${name}.q`)) await file.add(`${name}.q`, "int8", [columns, outputs], turned);
  await file.add(`${name}.s`, "float32", [outputs], scales);
}

async function int8Rows(source: ModelSource, step: Step, file: WeightFile, options: StoreOptions, name: string) {
  if (file.has(`${name}.s`)) return;
  const rows = step.rows[0]!;
  const scales = new Float32Array(rows);
  let first = 0;
  const pieces = map(readAll(source, step, options), (block) => {
    const { q, scales: some } = quantiseRows(block, step.columns);
    scales.set(some, first);
    first += some.length;
    return q;
  });
  if (file.has(`${name}.q`)) for await (const _ of pieces);
  else await file.add(`${name}.q`, "int8", [rows, step.columns], pieces);
  await file.add(`${name}.s`, "float32", [rows], scales);
}

async function blockRows(
  source: ModelSource,
  step: Step,
  file: WeightFile,
  options: StoreOptions,
  name: string,
  bits: 4 | 8,
) {
  if (file.has(`${name}.s${bits}`)) return;
  const rows = step.rows.reduce((a, b) => a + b, 0);
  const blocks = Math.ceil(step.columns / BLOCK);
  const scales = new Float32Array(rows * blocks);
  let first = 0;
  const pieces = map(readAll(source, step, options), (block) => {
    const { q, scales: some } = quantiseBlocks(block, step.columns, bits, BLOCK);
    scales.set(some, first);
    first += some.length;
    return q;
  });
  if (file.has(`${name}.q${bits}`)) for await (const _ of pieces);
  else await file.add(`${name}.q${bits}`, "uint8", [rows, blocks, (BLOCK * bits) / 8], pieces);
  await file.add(`${name}.s${bits}`, "float32", [rows * blocks], scales);
}

/** The rows of all parts, smoothed. */
async function* readAll(source: ModelSource, step: Step, options: StoreOptions): AsyncGenerator<Float32Array> {
  const { signal, smoothing } = options;
  for await (const block of readBlocks(source, step, signal)) {
    if (smoothing) smoothBlock(step, block, smoothing);
    yield block.values;
  }
}

async function* map<T>(blocks: AsyncIterable<Float32Array>, to: (block: Float32Array) => T): AsyncGenerator<T> {
  for await (const block of blocks) yield to(block);
}

/** Writes rows as columns, a tile at a time so that both sides stay in cache; gives how many. */
function turn<T extends Float32Array | Int8Array>(
  rows: T,
  into: T,
  columns: number,
  outputs: number,
  first: number,
): number {
  const count = rows.length / columns;
  const tile = 64;
  for (let start = 0; start < count; start += tile) {
    const end = Math.min(start + tile, count);
    for (let column = 0; column < columns; column++)
      for (let row = start; row < end; row++) into[column * outputs + first + row] = rows[row * columns + column]!;
  }
  return count;
}
