import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argmax } from "@diffuspec/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixturePath, golden, load, manifest } from "../test/fixture-model.ts";
import {
  causalBias,
  chainRequest,
  createCache,
  createDecoder,
  type Decoder,
  type DecoderPass,
  type KvCache,
  rowRange,
  treeBias,
  UNSEEN,
} from "./index.ts";

const { target, drafter } = manifest;
const ids = Int32Array.from(golden.target.ids);

describe.each(["int8", "fp32"] as const)("%s graphs against the NumPy reference", (precision) => {
  it.each(["chain", "tree"])("%s: logits, argmax, taps, keys and values", async (kind) => {
    const decoder = await load(`target.${precision}.${kind}.onnx`);
    const cache = createCache(target);
    const taps = ["tap_0", "tap_1", "tap_output"];
    const pass = await decoder.run(cache, chainRequest(decoder, 0, ids, ["logits", "argmax", "new_kv", ...taps]));
    const run = golden.target[precision];
    const last = ids.length - 1;
    expect([...pass.i32("argmax")]).toEqual(run.argmax);
    // The reference rounds activations in float64: a value at a rounding edge may land one int8 step away.
    const digits = precision === "fp32" ? 3 : 1;
    close(pass.f32("logits").subarray(last * target.vocabularySize), run.lastLogits, digits);
    for (const [i, tap] of taps.entries()) close(pass.f32(tap).subarray(last * target.width), run.lastTaps[i]!, digits);
    const heads = 2 * target.layers * target.kvHeads;
    const kv = Array.from({ length: heads }, (_, h) => {
      const at = (h * ids.length + last) * target.headDim;
      return [...pass.newKv!.subarray(at, at + target.headDim)];
    }).flat();
    close(kv, run.lastKeysAndValues, digits);
    await decoder.dispose();
  });

  it.each(["drafter", "tapped"] as const)(
    "%s: a causal prefix, a block that sees itself, the mask struck",
    async (part) => {
      const decoder = await load(`${part}.${precision}.onnx`, manifest[part]);
      const fed = Int32Array.from(golden[part].ids);
      const count = fed.length;
      const bias = causalBias(count, 0);
      for (let i = count - 4; i < count; i++) bias.fill(0, i * count, (i + 1) * count);
      const rows = rowRange(0, count);
      // The reference's made-up taps: the masks have none.
      const shown = (count - 4) * decoder.tapsWidth;
      const taps = Float32Array.from({ length: count * decoder.tapsWidth }, (_, i) => (i < shown ? Math.sin(i) : 0));
      const pass = await decoder.run(createCache(drafter), {
        ids: fed,
        rows,
        bias,
        ...(part === "tapped" && { taps }),
        fetch: ["top_ids", "top_logits", "log_sum_exp"],
      });
      const run = golden[part][precision];
      close(pass.f32("log_sum_exp"), run.logSumExp, precision === "fp32" ? 3 : 1);
      expect(rows.map((row) => pass.i32("top_ids")[row * drafter.top]!)).toEqual(Int32Array.from(run.argmax));
      expect(pass.i32("top_ids")).not.toContain(drafter.maskId);
      close(
        [pass.f32("top_logits")[(count - 1) * drafter.top]!],
        [Math.max(...run.lastLogits)],
        precision === "fp32" ? 3 : 1,
      );
      await decoder.dispose();
    },
  );
});

describe("the graph's argmax", () => {
  it.each(["int8", "fp32"])("is the tie rule of contracts (%s)", async (precision) => {
    const decoder = await load(`target.${precision}.chain.onnx`);
    const cache = createCache(target);
    for (let start = 0; start < 4; start++) {
      const pass = await decoder.run(
        cache,
        chainRequest(decoder, 0, rowRange(start * 16, start * 16 + 16), ["logits", "argmax"]),
      );
      for (let row = 0; row < 16; row++)
        expect(pass.i32("argmax")[row]).toBe(argmax(pass.f32("logits").subarray(row * 64, row * 64 + 64)));
    }
    await decoder.dispose();
  });

  it("takes the lowest id among equals", async () => {
    // The embedding row of id 9 is overwritten with that of id 41 and the reverse: their logits tie in every row.
    const folder = mkdtempSync(join(tmpdir(), "diffuspec-"));
    try {
      copyFileSync(fixturePath("target.int8.chain.onnx"), join(folder, "target.int8.chain.onnx"));
      const weights = readFileSync(fixturePath("target.bin"));
      const { width, vocabularySize } = target;
      const scales = Math.ceil((vocabularySize * width) / 64) * 64; // the second tensor of the file, at a multiple of 64
      const tie = (from: number, to: number) => {
        weights.copy(weights, to * width, from * width, (from + 1) * width);
        weights.copy(weights, scales + 4 * to, scales + 4 * from, scales + 4 * (from + 1));
      };
      const best = golden.target.int8.argmax[0]!;
      const twins = [best === 3 ? 4 : 3, 60].filter((id) => id !== best);
      for (const twin of twins) tie(best, twin);
      writeFileSync(join(folder, "target.bin"), weights);
      const decoder = await createDecoder({ graph: join(folder, "target.int8.chain.onnx"), shape: target, threads: 1 });
      const pass = await decoder.run(createCache(target), chainRequest(decoder, 0, ids, ["logits", "argmax"]));
      const logits = pass.f32("logits").subarray(0, vocabularySize);
      const lowest = Math.min(best, ...twins);
      expect(twins.every((twin) => logits[twin] === logits[best])).toBe(true);
      expect(pass.i32("argmax")[0]).toBe(lowest);
      expect(argmax(logits)).toBe(lowest);
      await decoder.dispose();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("bad input", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "diffuspec-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const open = (graph: string, shape = target) => createDecoder({ graph, shape, threads: 1 });

  it("missing graph, missing weights", async () => {
    await expect(open(join(folder, "none.onnx"))).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    copyFileSync(fixturePath("target.int8.chain.onnx"), join(folder, "lonely.onnx"));
    await expect(open(join(folder, "lonely.onnx"))).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringContaining("target.bin"),
    });
  });

  it("truncated graph, truncated weights, no graph at all", async () => {
    const graph = readFileSync(fixturePath("target.int8.chain.onnx"));
    writeFileSync(join(folder, "cut.onnx"), graph.subarray(0, graph.length >> 1));
    await expect(open(join(folder, "cut.onnx"))).rejects.toMatchObject({ code: "ERR_GRAPH" });
    writeFileSync(join(folder, "text.onnx"), "not a graph");
    await expect(open(join(folder, "text.onnx"))).rejects.toMatchObject({ code: "ERR_GRAPH" });
    writeFileSync(join(folder, "whole.onnx"), graph);
    writeFileSync(join(folder, "target.bin"), readFileSync(fixturePath("target.bin")).subarray(0, 4000));
    await expect(open(join(folder, "whole.onnx"))).rejects.toMatchObject({
      code: "ERR_GRAPH",
      message: expect.stringContaining("shorter"),
    });
    rmSync(join(folder, "target.bin"));
  });

  it("a graph of another shape, or with other inputs", async () => {
    const graph = fixturePath("target.int8.chain.onnx");
    await expect(open(graph, { ...target, layers: 3 })).rejects.toMatchObject({
      code: "ERR_GRAPH",
      message: expect.stringContaining("no input past_2_key"),
    });
    await expect(open(graph, { ...target, layers: 1 })).rejects.toThrow("unknown input past_1_key");
    await expect(open(graph, { ...target, headDim: 8 })).rejects.toThrow("float32 [1, 1, P, 16]");
    await expect(open(graph, { ...target, vocabularySize: 65 })).rejects.toThrow("output logits");
    const bytes = readFileSync(graph);
    const renamed = Buffer.from(bytes.toString("latin1").replaceAll("past_length", "past_lenght"), "latin1");
    writeFileSync(join(folder, "renamed.onnx"), renamed);
    copyFileSync(fixturePath("target.bin"), join(folder, "target.bin"));
    await expect(open(join(folder, "renamed.onnx"))).rejects.toMatchObject({
      code: "ERR_GRAPH",
      message: expect.stringContaining("no input past_length"),
    });
  });

  it("impossible options", async () => {
    const graph = fixturePath("target.int8.chain.onnx");
    await expect(createDecoder({ graph, shape: target, threads: 0 })).rejects.toMatchObject({ code: "ERR_OPTION" });
    await expect(open(graph, { ...target, kvHeads: Number.NaN })).rejects.toMatchObject({ code: "ERR_OPTION" });
  });

  it("impossible passes", async () => {
    const chain = await load("target.int8.chain.onnx");
    const tree = await load("target.int8.tree.onnx");
    const cache = createCache(target);
    const pass = { ids: ids.subarray(0, 2), rows: rowRange(0, 2), fetch: ["argmax"] };
    const refused = (decoder: Decoder, change: object, code = "ERR_CONTRACT") =>
      expect(decoder.run(cache, { ...pass, ...change })).rejects.toMatchObject({ code });
    await refused(chain, { ids: new Int32Array() });
    await refused(chain, { ids: Int32Array.of(0, 64) });
    await refused(chain, { ids: Int32Array.of(0, -1) });
    await refused(chain, { rows: Int32Array.of(2) });
    await refused(chain, { fetch: ["nothing"] });
    await refused(chain, { fetch: [] });
    await refused(chain, { bias: new Float32Array(4) });
    await refused(chain, { positions: rowRange(0, 2) });
    await refused(chain, { taps: new Float32Array(2) });
    const tapped = await load("tapped.int8.onnx", manifest.tapped);
    await refused(tapped, { fetch: ["top_ids"], bias: new Float32Array(4) });
    await refused(tapped, { fetch: ["top_ids"], bias: new Float32Array(4), taps: new Float32Array(127) });
    await tapped.dispose();
    await refused(tree, {});
    await refused(tree, { bias: new Float32Array(3), positions: rowRange(0, 2) });
    await refused(tree, { bias: new Float32Array(4) });
    await refused(tree, { bias: new Float32Array(4), positions: Int32Array.of(0, 128) });
    await refused(chain, { ids: new Int32Array(129), rows: rowRange(0, 1) }, "ERR_CONTEXT_EXCEEDED");
    await expect(chain.run(createCache(drafter), pass)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    const good = await chain.run(cache, pass);
    expect(() => good.f32("logits")).toThrow("did not fetch");
    await chain.dispose();
    await refused(chain, {}, "ERR_CLOSED");
    await chain.dispose();
    await tree.dispose();
  });
});

describe("what passes share", () => {
  const steps = [Int32Array.of(5, 9, 33), Int32Array.of(21, 60), Int32Array.of(2, 7, 8, 40)];
  const fetch = ["logits", "argmax", "new_kv", "tap_0"];
  const bits = (pass: DecoderPass) =>
    fetch.map((name) => [...new Uint32Array((name === "argmax" ? pass.i32(name) : pass.f32(name)).slice().buffer)]);
  const step = async (decoder: Decoder, cache: KvCache, fed: Int32Array) => {
    const pass = await decoder.run(cache, chainRequest(decoder, cache.length, fed, fetch));
    cache.append(pass, rowRange(0, fed.length));
    return pass;
  };

  it("nothing: caches of one graph take turns and run at once, and a pass stays what it was", async () => {
    const decoder = await load("target.int8.chain.onnx");
    const alone = [createCache(target), createCache(target)];
    const expected: number[][][] = [];
    for (const [i, cache] of alone.entries())
      for (const fed of steps)
        expected.push(
          bits(
            await step(
              decoder,
              cache,
              fed.map((id) => id + i),
            ),
          ),
        );

    const [a, b] = [createCache(target), createCache(target)];
    const passes: DecoderPass[] = [];
    const later: DecoderPass[] = [];
    for (const fed of steps) {
      const both = await Promise.all([
        step(decoder, a, fed),
        step(
          decoder,
          b,
          fed.map((id) => id + 1),
        ),
      ]);
      passes.push(both[0]);
      later.push(both[1]);
      a.reserve(a.capacity + 1); // the next pass meets other buffers
    }
    expect([...passes, ...later].map(bits)).toEqual(expected); // read when all have run
    await decoder.dispose();
  });

  it("not even one cache's passes: requests at the same time do not meet", async () => {
    const decoder = await load("target.int8.chain.onnx");
    const cache = createCache(target);
    await step(decoder, cache, steps[0]!);
    const run = (fed: Int32Array) => decoder.run(cache, chainRequest(decoder, cache.length, fed, fetch));
    const inTurn = [bits(await run(steps[1]!)), bits(await run(steps[2]!))];
    expect((await Promise.all([run(steps[1]!), run(steps[2]!)])).map(bits)).toEqual(inTurn);
    await decoder.dispose();
  });
});

describe("attention bias", () => {
  it("of a chain is the bias of its tree", () => {
    expect(treeBias(Int32Array.of(-1, 0, 1, 2), 3)).toEqual(causalBias(4, 3));
  });

  it("lets a node see the cache, its ancestors and itself", () => {
    const X = UNSEEN;
    expect([...treeBias(Int32Array.of(-1, 0, 0, 1), 1)]).toEqual(
      [0, 0, X, X, X, 0, 0, 0, X, X, 0, 0, X, 0, X, 0, 0, 0, X, 0].map((x) => Math.fround(x)),
    );
  });
});

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, digits: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    if (expected[i]! > -1e29) expect(actual[i], `value ${i}`).toBeCloseTo(expected[i]!, digits);
}
