import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { load, type manifest } from "../test/fixture-model.ts";
import { chainRequest, createCache, createDecoder, type Decoder, rowRange, withMeasuredThreads } from "./index.ts";

/** Decoders over the fixture that claim a number of threads and take so many milliseconds longer. */
async function rivals(delays: Readonly<Record<number, number>>) {
  const disposed: number[] = [];
  const graph = await load("target.int8.chain.onnx");
  const open = async (threads: number): Promise<Decoder> => ({
    ...graph,
    threads,
    async run(cache, request) {
      const until = performance.now() + delays[threads]!;
      while (performance.now() < until);
      return graph.run(cache, request);
    },
    dispose: async () => void disposed.push(threads),
  });
  return { open, disposed, graph };
}

it.each([
  [{ 1: 0, 4: 20 }, 1],
  [{ 1: 20, 4: 0 }, 4],
])("keeps the faster of one thread and several, and disposes the other: %o", async (delays, faster) => {
  const { open, disposed, graph } = await rivals(delays);
  const kept = await withMeasuredThreads(open, 4);
  expect(kept.threads).toBe(faster);
  expect(disposed).toEqual([faster === 1 ? 4 : 1]);
  await graph.dispose();
});

it("opens one graph where there is one thread to have, and none stays open behind a failure", async () => {
  const { open, disposed, graph } = await rivals({ 1: 0 });
  expect((await withMeasuredThreads(open, 1)).threads).toBe(1);
  expect(disposed).toEqual([]);
  const failing = async (threads: number) => {
    if (threads === 1) return open(threads);
    throw new Error("no memory");
  };
  await expect(withMeasuredThreads(failing, 2)).rejects.toThrow("no memory");
  expect(disposed).toEqual([1]);
  await graph.dispose();
});

/** The embedded pair: wide enough for the runtime to share an operator among threads. */
const tinyJs = (file: string) => fileURLToPath(new URL(`../../model-tiny-js/model/${file}`, import.meta.url));
const shape: typeof manifest.target = JSON.parse(readFileSync(tinyJs("manifest.json"), "utf8")).target;

it.each(["int8", "fp32"])("outputs do not depend on the number of threads: %s", async (precision) => {
  const passes = async (threads: number) => {
    const decoder = await createDecoder({ graph: tinyJs(`target.${precision}.chain.onnx`), shape, threads });
    const cache = createCache(shape);
    const found: Float32Array[] = [];
    for (const count of [64, 2, 9, 34, 3]) {
      const ids = Int32Array.from({ length: count }, (_, i) => (count + 37 * i) % shape.vocabularySize);
      const pass = await decoder.run(cache, chainRequest(decoder, cache.length, ids, ["logits", "new_kv"]));
      found.push(pass.f32("logits"), pass.f32("new_kv"));
      cache.append(pass, rowRange(0, count));
    }
    await decoder.dispose();
    return found.map(({ buffer }) => Buffer.from(buffer));
  };
  const one = await passes(1);
  for (const threads of [2, 3, 4])
    for (const [i, bytes] of (await passes(threads)).entries())
      expect(bytes.equals(one[i]!), `${threads}, ${i}`).toBe(true);
});
