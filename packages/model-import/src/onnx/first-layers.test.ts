import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDiffuSpecError } from "@diffuspec/contracts";
import { createCache, createDecoder, type DecoderShape, rowRange, treeBias } from "@diffuspec/onnx-decoder";
import { afterAll, describe, expect, it } from "vitest";
import { firstLayers } from "./first-layers.ts";
import { readFields } from "./read.ts";

const fixture = (file: string) => fileURLToPath(new URL(`../../../onnx-decoder/test/fixture/${file}`, import.meta.url));
const { target: shape } = JSON.parse(readFileSync(fixture("manifest.json"), "utf8")) as { target: DecoderShape };
const dir = mkdtempSync(join(tmpdir(), "first-layers-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
copyFileSync(fixture("target.bin"), join(dir, "target.bin"));

const ids = Int32Array.of(9, 33, 2, 17, 60);
const parents = Int32Array.of(-1, 0, 1, 0, 3);
const tree = { bias: treeBias(parents, 0), positions: Int32Array.of(0, 1, 2, 1, 2) };

async function pass(graph: string, layers: number, fetch: readonly string[]) {
  const own = { ...shape, layers };
  const decoder = await createDecoder({ graph, shape: own, threads: 1 });
  const taken = await decoder.run(createCache(own), { ids, rows: rowRange(0, ids.length), fetch, ...tree });
  await decoder.dispose();
  return taken;
}

describe.each(["int8", "fp32"])("the first of two layers, %s", (precision) => {
  const file = `target.${precision}.tree.onnx`;

  it("leaves the residual stream and the cache as they were, and puts norm and head behind it", async () => {
    writeFileSync(join(dir, file), firstLayers(readFileSync(fixture(file)), 1));
    const whole = await pass(fixture(file), 2, ["tap_0", "tap_1", "new_kv", "logits"]);
    const part = await pass(join(dir, file), 1, ["tap_0", "tap_output", "new_kv", "logits", "argmax"]);
    expect(part.f32("tap_0")).toEqual(whole.f32("tap_0"));
    expect(part.newKv).toEqual(whole.newKv!.slice(0, whole.newKv!.length / 2));
    expect(part.f32("logits")).not.toEqual(whole.f32("logits"));
    // The final norm of the stream that enters layer 1, by hand: x / rms(x), times a gain that is the same in every row.
    const { width } = shape;
    const [stream, normed] = [whole.f32("tap_1"), part.f32("tap_output")];
    const scaled = Array.from(ids, (_, row) => {
      const x = stream.subarray(row * width, (row + 1) * width);
      const rms = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / width);
      return Array.from(x, (value, i) => normed[row * width + i]! / (value / rms));
    });
    for (const gains of scaled.slice(1))
      for (const [i, gain] of gains.entries()) expect(gain).toBeCloseTo(scaled[0]![i]!, 3);
  });

  it("all layers are the graph itself", () => {
    const graph = readFileSync(fixture(file));
    expect(Buffer.from(firstLayers(graph, 2)).equals(graph)).toBe(true);
  });
});

it("refuses layers that are not there, and other graphs", () => {
  const graph = readFileSync(fixture("target.int8.tree.onnx"));
  for (const layers of [0, 3, 1.5, Number.NaN])
    expect(() => firstLayers(graph, layers)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  expect(() => firstLayers(new Uint8Array(0), 1)).toThrow(expect.objectContaining({ code: "ERR_GRAPH" }));
});

it("a damaged file gives a graph or a typed error, never anything else", () => {
  const graph = readFileSync(fixture("target.int8.tree.onnx"));
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  let errors = 0;
  for (let i = 0; i < 1500; i++) {
    const mutated = Uint8Array.from(random(4) === 0 ? graph.subarray(0, random(graph.length)) : graph);
    for (let n = random(4); n >= 0 && mutated.length > 0; n--) mutated[random(mutated.length)] = random(256);
    try {
      firstLayers(mutated, 1);
    } catch (error) {
      errors++;
      if (!isDiffuSpecError(error) || !["ERR_PARSE", "ERR_GRAPH", "ERR_OPTION"].includes(error.code)) throw error;
    }
  }
  expect(errors).toBeGreaterThan(100);
});

it("readFields says where a message is damaged", () => {
  const at = (offset: number) => expect.objectContaining({ code: "ERR_PARSE", details: { offset } });
  expect(readFields(Uint8Array.of(8, 150, 1, 18, 1, 7)).map(({ field, value }) => [field, ...value])).toEqual([
    [1],
    [2, 7],
  ]);
  expect(() => readFields(Uint8Array.of(8, 1, 18, 5, 7), 100)).toThrow(at(102));
  expect(() => readFields(Uint8Array.of(8, 128), 0)).toThrow(at(3));
  expect(() => readFields(Uint8Array.of(11), 0)).toThrow(at(0));
});
