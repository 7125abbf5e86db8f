import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createCanvas, UNSEEN } from "./index.ts";

const at = (file: string) => fileURLToPath(new URL(`../test/hub/${file}`, import.meta.url));
const golden: { ids: number[]; blockSize: number; full: number[]; block: number[] } = JSON.parse(
  readFileSync(at("golden.json"), "utf8"),
).canvas;
const ids = Int32Array.from(golden.ids);
const load = (name: string, vocabularySize?: number) =>
  createCanvas({
    graph: at(`canvas/onnx/${name}.onnx`),
    threads: 1,
    ...(vocabularySize !== undefined && { vocabularySize }),
  });
const close = (found: Float32Array, expected: number[], digits: number) => {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, digits);
};

describe("createCanvas, against the NumPy reference", () => {
  it.each([
    ["model", "none", 4],
    ["model_ones", "ones", 4],
    ["model_additive", "additive", 4],
    ["model_additive_fp16", "additive", 1],
  ] as const)("%s", async (name, mask, digits) => {
    const canvas = await load(name);
    expect(canvas).toMatchObject({ mask, vocabularySize: 72 });
    const pass = await canvas.run(ids);
    expect(pass.rowCount).toBe(ids.length);
    close(pass.logits(ids.length - 2), golden.full, digits);
    if (mask === "additive") {
      const n = ids.length;
      const blockOf = (i: number) => Math.floor((i - n) / golden.blockSize);
      const bias = Float32Array.from({ length: n * n }, (_, at) =>
        blockOf(at % n) <= blockOf(Math.floor(at / n)) ? 0 : UNSEEN,
      );
      close((await canvas.run(ids, bias)).logits(n - 6), golden.block, digits);
    } else
      await expect(canvas.run(ids, new Float32Array(ids.length ** 2))).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    await canvas.dispose();
    await canvas.dispose();
    await expect(canvas.run(ids)).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });

  it("refuses what does not fit", async () => {
    await expect(load("model", 73)).rejects.toMatchObject({ code: "ERR_GRAPH" });
    await expect(load("gone")).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    const decoder = createCanvas({ graph: at("target/onnx/model_q4.onnx") });
    await expect(decoder).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    const canvas = await load("model_additive", 72);
    await expect(canvas.run(new Int32Array(0))).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    await expect(canvas.run(Int32Array.of(72))).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    await expect(canvas.run(ids, new Float32Array(3))).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    const pass = await canvas.run(ids);
    expect(() => pass.logits(ids.length)).toThrow("rows 0..");
    await canvas.dispose();
  });
});
