import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { causalBias, createCache, createDecoder, type DecoderPass, rowRange, treeBias } from "@diffuspec/onnx-decoder";
import { afterAll, describe, expect, it } from "vitest";
import { storeRope } from "../weights/store.ts";
import { createWeightFile, type WeightFile } from "../weights/weight-file.ts";
import { drafterGraph, targetGraph } from "./graphs.ts";
import type { GraphShape } from "./layers.ts";

/** The random model that training/tiny-js/make_fixture.py wrote, with the graphs of graph.py. */
const fixture = (file: string) => fileURLToPath(new URL(`../../../onnx-decoder/test/fixture/${file}`, import.meta.url));
interface Part extends GraphShape {
  ropeTheta: number;
  maskId: number;
  top: number;
}
const manifest = JSON.parse(readFileSync(fixture("manifest.json"), "utf8")) as Record<
  "target" | "drafter" | "tapped",
  Part
>;
const dir = mkdtempSync(join(tmpdir(), "import-fixture-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The fixture's weights in the order in which graph.py stored them, each at a multiple of 64 bytes. */
async function weightsOf(name: "target" | "drafter" | "tapped", taps: number): Promise<WeightFile> {
  const { vocabularySize, width, heads, kvHeads, headDim, hidden, layers, ropeTheta, positions } = manifest[name];
  const from = readFileSync(fixture(`${name}.bin`));
  const file = await createWeightFile(join(dir, `${name}.bin`));
  let at = 0;
  const add = async (tensor: string, type: "int8" | "float32", ...dims: number[]) => {
    at = Math.ceil(at / 64) * 64;
    const length = dims.reduce((a, b) => a * b, type === "int8" ? 1 : 4);
    await file.add(tensor, type, dims, from.subarray(at, at + length));
    at += length;
  };
  const linear = async (tensor: string, inputs: number, outputs: number) => {
    await add(`${tensor}.q`, "int8", inputs, outputs);
    await add(`${tensor}.s`, "float32", outputs);
  };
  await add("embedding.q", "int8", vocabularySize, width);
  await add("embedding.s", "float32", vocabularySize);
  await add("norm", "float32", width);
  for (let i = 0; i < layers; i++) {
    await linear(`${i}.qkv`, width, (heads + 2 * kvHeads) * headDim);
    await linear(`${i}.o`, heads * headDim, width);
    await linear(`${i}.gate_up`, width, 2 * hidden);
    await linear(`${i}.down`, hidden, width);
    await add(`${i}.norm1`, "float32", width);
    await add(`${i}.norm2`, "float32", width);
  }
  if (taps > 0) {
    await linear("taps.join", taps * width, width);
    for (let i = 0; i < taps; i++) await add(`taps.norm${i}`, "float32", width);
  }
  expect(at).toBe(from.length);
  await storeRope(file, { theta: ropeTheta }, headDim, positions);
  await file.close();
  return file;
}

const ids = Int32Array.of(9, 33, 2, 17, 60, 41, 5);
const parents = Int32Array.of(-1, 0, 1, 0, 3, 1, 2);
const depth = Int32Array.of(0, 1, 2, 1, 2, 2, 3);

describe.each(["int8", "fp32"] as const)("%s graphs equal those of graph.py in every bit", (arithmetic) => {
  it.each(["chain", "tree"] as const)("target, %s", async (kind) => {
    const shape = manifest.target;
    const name = `target.${arithmetic}.${kind}.onnx`;
    const weights = await weightsOf("target", 0);
    writeFileSync(join(dir, name), targetGraph({ shape, weights, arithmetic, kind, name }));
    const outputs = ["logits", "argmax", "new_kv", "tap_0", "tap_1", "tap_output"];
    await compare(name, shape, outputs, (past) =>
      kind === "chain" ? {} : { bias: treeBias(parents, past), positions: depth.map((d) => past + d) },
    );
  });

  it.each(["drafter", "tapped"] as const)("%s", async (part) => {
    const shape = manifest[part];
    const name = `${part}.${arithmetic}.onnx`;
    const taps = part === "tapped" ? 2 : 0;
    const weights = await weightsOf(part, taps);
    const { maskId, top } = shape;
    writeFileSync(join(dir, name), drafterGraph({ shape, weights, arithmetic, name, maskId, top, taps }));
    const outputs = ["top_ids", "top_logits", "log_sum_exp", "logits", "new_kv"];
    await compare(name, shape, outputs, (past) => {
      const bias = causalBias(ids.length, past);
      for (let i = 4; i < ids.length; i++) bias.fill(0, i * (past + ids.length), (i + 1) * (past + ids.length));
      const hidden = Float32Array.from({ length: ids.length * taps * shape.width }, (_, i) => Math.sin(i));
      return { bias, ...(taps > 0 && { taps: hidden }) };
    });
  });
});

/** Two passes, the second behind rows of the first. */
async function compare(name: string, shape: Part, outputs: string[], extra: (past: number) => object): Promise<void> {
  const [ours, theirs] = await Promise.all(
    [join(dir, name), fixture(name)].map((graph) => createDecoder({ graph, shape, threads: 1 })),
  );
  const caches = [createCache(shape), createCache(shape)];
  for (const past of [0, 3]) {
    const passes = await Promise.all(
      [ours!, theirs!].map((decoder, i) =>
        decoder.run(caches[i]!, { ids, rows: rowRange(0, ids.length), fetch: outputs, ...extra(past) }),
      ),
    );
    for (const output of outputs) expect(bits(passes[0]!, output), output).toEqual(bits(passes[1]!, output));
    for (const [i, pass] of passes.entries()) caches[i]!.append(pass, rowRange(0, 3));
  }
  await ours!.dispose();
  await theirs!.dispose();
}

const bits = (pass: DecoderPass, output: string) =>
  output === "argmax" || output === "top_ids" ? pass.i32(output) : new Int32Array(pass.f32(output).buffer);
