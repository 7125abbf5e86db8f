import { describe, expect, it } from "vitest";
import { golden, load, manifest } from "../test/fixture-model.ts";
import {
  bucket,
  chainRequest,
  createCache,
  type DecoderPass,
  type DecoderShape,
  type KvCache,
  rowRange,
} from "./index.ts";

const shape: DecoderShape = { layers: 2, kvHeads: 2, headDim: 4, width: 8, vocabularySize: 8, positions: 4096 };

/** A pass whose every number says which buffer, head and token it belongs to. */
function fakePass(pastLength: number, tokens: readonly number[]): DecoderPass {
  const heads = 2 * shape.layers * shape.kvHeads;
  const newKv = Float32Array.from({ length: heads * tokens.length * shape.headDim }, (_, i) => {
    const row = Math.floor(i / shape.headDim);
    return Math.floor(row / tokens.length) * 1e5 + tokens[row % tokens.length]! * 10 + (i % shape.headDim);
  });
  const none = () => {
    throw new Error("not fetched");
  };
  return { pastLength, rowCount: tokens.length, newKv, f32: none, i32: none };
}

const feeds = (cache: KvCache) => cache.feeds() as Record<string, { data: Float32Array; dims: readonly number[] }>;

/** The tokens behind the rows, checked in every buffer and head. */
function tokensOf(cache: KvCache): number[] {
  const names = Array.from({ length: shape.layers }, (_, i) => [`past_${i}_key`, `past_${i}_value`]).flat();
  const seen = names.flatMap((name, b) =>
    Array.from({ length: shape.kvHeads }, (_, h) =>
      Array.from({ length: cache.length }, (_, n) => {
        const at = (h * cache.capacity + n) * shape.headDim;
        const row = [...feeds(cache)[name]!.data.subarray(at, at + shape.headDim)];
        const token = (row[0]! - (b * shape.kvHeads + h) * 1e5) / 10;
        expect(row.map((x) => x - row[0]!)).toEqual([0, 1, 2, 3]);
        return token;
      }),
    ),
  );
  for (const list of seen) expect(list).toEqual(seen[0]);
  return seen[0]!;
}

describe("createCache", () => {
  it("appends rows of any selection in order, and cuts", () => {
    const cache = createCache(shape);
    cache.append(fakePass(0, [5, 6, 7, 8]), [0, 1, 3]);
    expect(tokensOf(cache)).toEqual([5, 6, 8]);
    cache.truncate(1);
    cache.append(fakePass(1, [9, 4, 3]), Int32Array.of(2, 0));
    expect(tokensOf(cache)).toEqual([5, 3, 9]);
  });

  it("grows by buckets and keeps every row", () => {
    const cache = createCache(shape);
    const expected: number[] = [];
    const capacities = new Set<number>();
    for (let n = 0; n < 700; n += 7) {
      const tokens = Array.from({ length: 7 }, (_, i) => (n + i) % 97);
      cache.append(fakePass(n, tokens), rowRange(0, 7));
      expected.push(...tokens);
      capacities.add(cache.capacity);
    }
    expect(tokensOf(cache)).toEqual(expected);
    expect([...capacities]).toEqual([64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704]);
    expect(feeds(cache).past_1_value!.dims).toEqual([1, 2, 704, 4]);
  });

  it("gives room back when it is cut, and keeps every row", () => {
    const cache = createCache(shape);
    const tokens = Array.from({ length: 700 }, (_, i) => i % 97);
    cache.append(fakePass(0, tokens), rowRange(0, 700));
    cache.truncate(400);
    expect(cache.capacity).toBe(704);
    cache.truncate(100);
    expect(cache.capacity).toBe(128);
    cache.append(fakePass(100, [1, 2, 3]), [0, 2]);
    expect(tokensOf(cache)).toEqual([...tokens.slice(0, 100), 1, 3]);
    cache.append(fakePass(102, tokens), rowRange(0, 700));
    expect(tokensOf(cache)).toEqual([...tokens.slice(0, 100), 1, 3, ...tokens]);
    cache.truncate(0);
    expect(cache.capacity).toBe(64);
  });

  it("gives the same tensors until it grows", () => {
    const cache = createCache(shape, { capacity: 100 });
    const before = feeds(cache);
    cache.append(fakePass(0, [1, 2]), [0, 1]);
    expect(feeds(cache)).toBe(before);
    cache.reserve(129);
    expect(feeds(cache)).not.toBe(before);
  });

  it("wastes at most an eighth of a long context", () => {
    for (const rows of [1, 64, 65, 511, 513, 1025, 5000, 40_000]) {
      expect(bucket(rows)).toBeGreaterThanOrEqual(rows);
      expect(bucket(rows) - rows).toBeLessThan(Math.max(64, rows / 8));
      expect(bucket(bucket(rows))).toBe(bucket(rows));
    }
  });

  it("refuses what would corrupt it", () => {
    const cache = createCache(shape);
    const code = (code: string) => expect.objectContaining({ code });
    expect(() => cache.append(fakePass(3, [1]), [0])).toThrow(code("ERR_CONTRACT"));
    expect(() => cache.append(fakePass(0, [1]), [1])).toThrow(code("ERR_CONTRACT"));
    expect(() => cache.append({ ...fakePass(0, [1]), newKv: undefined }, [0])).toThrow(code("ERR_CONTRACT"));
    expect(() => cache.truncate(1)).toThrow(code("ERR_CONTRACT"));
    expect(() => createCache(shape, { capacity: 0 })).toThrow(code("ERR_OPTION"));
    expect(() => createCache({ ...shape, layers: 0 })).toThrow(code("ERR_OPTION"));
    cache.dispose();
    expect(() => cache.reserve(10)).toThrow(code("ERR_CLOSED"));
    expect(() => feeds(cache)).toThrow(code("ERR_CLOSED"));
  });

  it("keeps a failed append from changing anything", () => {
    const cache = createCache(shape);
    cache.append(fakePass(0, [1, 2]), [0, 1]);
    expect(() => cache.append(fakePass(2, [3, 4]), [0, 2])).toThrow();
    expect(tokensOf(cache)).toEqual([1, 2]);
  });
});

it("rows behind the length are never read", async () => {
  const decoder = await load("target.int8.chain.onnx");
  const ids = Int32Array.from(golden.target.ids);
  const run = (cache: KvCache) => decoder.run(cache, chainRequest(decoder, cache.length, ids, ["logits", "new_kv"]));
  const clean = createCache(manifest.target);
  const dirty = createCache(manifest.target);
  dirty.append(await run(dirty), rowRange(0, 10));
  dirty.append(await run(dirty), rowRange(0, 10));
  dirty.truncate(0);
  expect((await run(dirty)).f32("logits")).toEqual((await run(clean)).f32("logits"));
  await decoder.dispose();
});
