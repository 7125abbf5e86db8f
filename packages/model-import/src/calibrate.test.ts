import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCache, createDecoder, type DecoderShape, rowRange } from "@diffuspec/onnx-decoder";
import { afterAll, describe, expect, it } from "vitest";
import { golden, goldenPath } from "../test/golden.ts";
import {
  type Calibrate,
  createWeightFile,
  importModel,
  openSource,
  planOf,
  smoothingOf,
  storeRope,
  storeWeights,
  targetGraph,
} from "./index.ts";

const dir = mkdtempSync(join(tmpdir(), "import-calibrate-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const tokenizer = join(dir, "tokenizer.json");
writeFileSync(tokenizer, "{}");
const ids = Int32Array.from(golden.ids);

const calibrate: Calibrate = async ({ path, shape, outputs }) => {
  const decoder = await createDecoder({ graph: path, shape, threads: 1 });
  const pass = await decoder.run(createCache(shape), { ids, rows: rowRange(0, 1), fetch: outputs });
  await decoder.dispose();
  return Object.fromEntries(outputs.map((name) => [name, pass.f32(name)]));
};

/** Root mean square difference from PyTorch's logits. */
async function error(graph: string, shape: DecoderShape, name: string): Promise<number> {
  const decoder = await createDecoder({ graph, shape, threads: 1 });
  const pass = await decoder.run(createCache(shape), { ids, rows: rowRange(0, ids.length), fetch: ["logits"] });
  await decoder.dispose();
  const { logits } = golden.models[name]!;
  const squares = pass.f32("logits").reduce((sum, v, i) => sum + (v - logits[i]!) ** 2, 0);
  return Math.sqrt(squares / logits.length);
}

describe.each(Object.keys(golden.models))("%s", (name) => {
  it("without rounding, smoothed weights give the same logits", async () => {
    const source = await openSource(goldenPath(name));
    const steps = planOf(source);
    const shape = { ...source.config, positions: 64 };
    // Any divisors will do: peaks that differ by orders of magnitude show every place that was forgotten.
    const peaks = new Map(
      steps.map((step) => [step.name, Float32Array.from({ length: step.columns }, (_, i) => 10 ** ((i % 5) - 2))]),
    );
    const smoothing = await smoothingOf(source, steps, peaks);
    const weights = await createWeightFile(join(dir, `${name}.bin`));
    await storeRope(weights, source.config.rope, shape.headDim, shape.positions);
    await storeWeights(source, steps, weights, { precision: "fp32", smoothing });
    await weights.close();
    await source.close();
    const graph = join(dir, `${name}.onnx`);
    writeFileSync(graph, targetGraph({ shape, weights, arithmetic: "int8", kind: "chain", name }));
    expect(await error(graph, shape, name)).toBeLessThan(5e-5);
  });

  it("an import fits its int8 weights to what it is shown", async () => {
    const [out, plain] = [join(dir, `${name}-smooth`), join(dir, `${name}-plain`)];
    const base = { source: goldenPath(name), tokenizer };
    await importModel({ ...base, out, calibrate });
    await importModel({ ...base, out: plain });
    const { target } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
    expect(await error(join(out, "target.int8.chain.onnx"), target, name)).toBeLessThan(0.2);
    const read = (folder: string) => readFileSync(join(folder, "target.int8.bin"));
    expect(read(out).length).toBe(read(plain).length);
    expect(read(out).equals(read(plain))).toBe(false);
    expect(readdirSync(out)).toEqual(readdirSync(plain));
  });
});

it("peaks that are missing or not finite are refused", async () => {
  const base = { source: goldenPath("qwen3"), tokenizer };
  for (const [i, value] of [new Float32Array(0), new Float32Array(48).fill(Number.NaN)].entries()) {
    const wrong: Calibrate = async (graph) => ({ ...(await calibrate(graph)), "peak_1.qkv": value });
    await expect(importModel({ ...base, out: join(dir, `wrong-${i}`), calibrate: wrong })).rejects.toMatchObject({
      code: "ERR_PARSE",
    });
  }
});
