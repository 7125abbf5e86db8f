import { describe, expect, it } from "vitest";
import { load, manifest } from "../test/fixture-model.ts";
import { createCache, type Decoder, probeRowExact, probeTrunkExact, timeRows } from "./index.ts";

/** The same decoder, with one output of passes of `rows` rows altered in one bit. */
function corrupt(decoder: Decoder, output: string, rows: number): Decoder {
  return {
    ...decoder,
    async run(cache, request) {
      const pass = await decoder.run(cache, request);
      if (pass.rowCount !== rows) return pass;
      const data = pass.f32(output);
      const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
      bits[bits.length - 1]! ^= 1;
      return pass;
    },
  };
}

describe("probeRowExact", () => {
  it.each(["target.int8.chain.onnx", "target.int8.tree.onnx", "target.fp32.chain.onnx", "target.fp32.tree.onnx"])(
    "finds %s row-exact, quickly and thoroughly",
    async (file) => {
      const decoder = await load(file);
      const quick = await probeRowExact({ decoder });
      expect(quick).toMatchObject({ rowExact: true });
      expect(quick.checked).toBeLessThan(25);
      expect(await probeRowExact({ decoder, effort: "thorough" })).toMatchObject({ rowExact: true });
      await decoder.dispose();
    },
  );

  it("refuses a graph whose activations share one scale", async () => {
    const decoder = await load("target.per-tensor.chain.onnx");
    const found = await probeRowExact({ decoder });
    expect(found.rowExact).toBe(false);
    expect(found.firstDifference).toMatchObject({ output: "logits" });
    expect(found.firstDifference!.expected).not.toBe(found.firstDifference!.actual);
    await decoder.dispose();
  });

  it.each(["logits", "new_kv"])("sees a single flipped bit of %s", async (output) => {
    const decoder = await load("target.int8.chain.onnx");
    const found = await probeRowExact({ decoder: corrupt(decoder, output, 7) });
    expect(found.firstDifference).toMatchObject({ output, rowCount: 7, row: 15 });
    const rare = corrupt(decoder, output, 29);
    expect(await probeRowExact({ decoder: rare })).toMatchObject({ rowExact: true });
    expect(await probeRowExact({ decoder: rare, effort: "thorough" })).toMatchObject({ rowExact: false });
    await decoder.dispose();
  });

  it("sees a flipped bit of a long prefill pass where it is told of such passes", async () => {
    const decoder = await load("target.int8.chain.onnx");
    const long = corrupt(decoder, "new_kv", 100);
    expect(await probeRowExact({ decoder: long })).toMatchObject({ rowExact: true });
    expect(await probeRowExact({ decoder, prefillRows: 100 })).toMatchObject({ rowExact: true });
    expect((await probeRowExact({ decoder: long, prefillRows: 100 })).firstDifference).toMatchObject({
      output: "new_kv",
      pastLength: 36,
      rowCount: 64,
    });
    const lastRow = corrupt(decoder, "logits", 100);
    expect((await probeRowExact({ decoder: lastRow, prefillRows: 100 })).firstDifference).toMatchObject({
      output: "logits",
      row: 99,
    });
    await decoder.dispose();
  });

  it("sees an argmax that breaks the tie rule", async () => {
    const decoder = await load("target.int8.chain.onnx");
    const wrong: Decoder = {
      ...decoder,
      async run(cache, request) {
        const pass = await decoder.run(cache, request);
        if (request.fetch.includes("argmax")) pass.i32("argmax")[3]! ^= 1;
        return pass;
      },
    };
    expect((await probeRowExact({ decoder: wrong })).firstDifference).toMatchObject({ output: "argmax", row: 3 });
    await decoder.dispose();
  });

  it("refuses to compare fewer than two rows", async () => {
    const decoder = await load("target.int8.chain.onnx");
    await expect(probeRowExact({ decoder, maxRows: 1 })).rejects.toMatchObject({ code: "ERR_OPTION" });
    await decoder.dispose();
  });
});

describe("probeTrunkExact", () => {
  it.each(["int8", "fp32"])("the trunk of a tree equals the chain (%s)", async (precision) => {
    const chain = await load(`target.${precision}.chain.onnx`);
    const tree = await load(`target.${precision}.tree.onnx`);
    expect(await probeTrunkExact({ chain, tree })).toMatchObject({ rowExact: true, checked: 8 });
    expect(await probeTrunkExact({ chain, tree: corrupt(tree, "logits", 8) })).toMatchObject({ rowExact: false });
    await expect(probeTrunkExact({ chain, tree: chain })).rejects.toMatchObject({ code: "ERR_OPTION" });
    await chain.dispose();
    await tree.dispose();
  });
});

it("timeRows times every row count and leaves the cache alone", async () => {
  const decoder = await load("target.int8.tree.onnx");
  const cache = createCache(manifest.target);
  const times = await timeRows(decoder, cache, [1, 2, 8], { repeats: 3, warmUp: 1 });
  expect(times.map(({ rows }) => rows)).toEqual([1, 2, 8]);
  for (const { ms } of times) expect(ms).toBeGreaterThan(0);
  expect(cache.length).toBe(0);
  await decoder.dispose();
});
