import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDiffuSpecError } from "@diffuspec/contracts";
import { afterAll, describe, expect, it } from "vitest";
import { goldenPath } from "../test/golden.ts";
import { openGguf, openSafetensors, openSource, planOf } from "./index.ts";

const dir = mkdtempSync(join(tmpdir(), "import-hostile-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const path = join(dir, "file");
const MEBIBYTE = 2 ** 20;

/** Small whole numbers first, as GGUF spells them. */
const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const head = (tensors: number | bigint, entries: number | bigint, version = 3) =>
  Buffer.concat([Buffer.from("GGUF"), u32(version), u64(tensors), u64(entries)]);
const tensor = (name: string, dims: (number | bigint)[], type: number, offset: number | bigint) =>
  Buffer.concat([text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]);
const HUGE = 2n ** 60n;

describe("GGUF files made by hand", () => {
  const one = (...args: Parameters<typeof tensor>) => [head(1, 0), tensor(...args), Buffer.alloc(128)];
  it.each<[string, string, Buffer[]]>([
    ["nothing", "ERR_PARSE", []],
    ["another magic", "ERR_PARSE", [Buffer.from("GGUX"), Buffer.alloc(40)]],
    ["version 1", "ERR_UNSUPPORTED", [head(0, 0, 1)]],
    ["big-endian", "ERR_UNSUPPORTED", [head(0, 0, 0x03000000)]],
    ["2^60 tensors", "ERR_PARSE", [head(HUGE, 0)]],
    ["2^64 - 1 entries", "ERR_PARSE", [head(0, 2n ** 64n - 1n)]],
    ["60,000 tensors in a short file", "ERR_PARSE", [head(60_000, 0), Buffer.alloc(99)]],
    ["a key of 2^60 bytes", "ERR_PARSE", [head(0, 1), u64(HUGE), Buffer.alloc(64)]],
    ["a text of 2^60 bytes", "ERR_PARSE", [head(0, 1), text("k"), u32(8), u64(HUGE), Buffer.alloc(64)]],
    ["a text of 16 MiB in a short file", "ERR_PARSE", [head(0, 1), text("k"), u32(8), u64(2 ** 24), Buffer.alloc(64)]],
    ["an array of 2^60", "ERR_PARSE", [head(0, 1), text("k"), u32(9), u32(0), u64(HUGE), Buffer.alloc(64)]],
    ["an array of a million texts", "ERR_PARSE", [head(0, 1), text("k"), u32(9), u32(8), u64(1e6), Buffer.alloc(64)]],
    ["arrays of arrays", "ERR_UNSUPPORTED", [head(0, 1), text("k"), u32(9), u32(9), u64(1), Buffer.alloc(64)]],
    ["an unknown value type", "ERR_PARSE", [head(0, 1), text("k"), u32(13), Buffer.alloc(64)]],
    ["a boolean of 2", "ERR_PARSE", [head(0, 1), text("k"), u32(7), Buffer.of(2), Buffer.alloc(64)]],
    ["a key twice", "ERR_PARSE", [head(0, 2), ...[1, 2].map(() => Buffer.concat([text("k"), u32(4), u32(1)]))]],
    ["an alignment of 3", "ERR_PARSE", [head(0, 1), text("general.alignment"), u32(4), u32(3)]],
    ["an alignment of 0", "ERR_PARSE", [head(0, 1), text("general.alignment"), u32(4), u32(0)]],
    ["a rank of 2^32 - 1", "ERR_PARSE", [head(1, 0), text("t"), u32(0xffffffff), Buffer.alloc(64)]],
    ["a size of 2^60", "ERR_PARSE", one("t", [HUGE], 0, 0)],
    ["a size of 0", "ERR_PARSE", one("t", [0], 0, 0)],
    ["sizes whose product overflows", "ERR_PARSE", one("t", [2n ** 32n, 2n ** 32n], 0, 0)],
    ["a tensor beyond the end", "ERR_PARSE", one("t", [64], 0, 0)],
    ["an offset of 2^63", "ERR_PARSE", one("t", [1], 0, 2n ** 63n)],
    ["an offset that is not aligned", "ERR_PARSE", one("t", [1], 0, 8)],
    ["a row that is no whole block", "ERR_PARSE", one("t", [33], 2, 0)],
    ["an unknown tensor type", "ERR_UNSUPPORTED", one("t", [32], 99, 0)],
    ["a tensor twice", "ERR_PARSE", [head(2, 0), tensor("t", [1], 0, 0), tensor("t", [1], 0, 32), Buffer.alloc(128)]],
    [
      "tensors that overlap",
      "ERR_PARSE",
      [head(2, 0), tensor("t", [16], 0, 0), tensor("u", [1], 0, 32), Buffer.alloc(128)],
    ],
  ])("%s is %s", async (_, code, parts) => {
    writeFileSync(path, Buffer.concat(parts));
    const before = process.memoryUsage();
    await expect(openGguf(path)).rejects.toMatchObject({ code });
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    expect(arrayBuffers - before.arrayBuffers).toBeLessThan(4 * MEBIBYTE);
    expect(heapUsed - before.heapUsed).toBeLessThan(32 * MEBIBYTE);
  });
});

describe("safetensors files made by hand", () => {
  const file = (header: unknown, data = 16) => {
    const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
    return [u64(json.length), json, Buffer.alloc(data)];
  };
  const f32 = (shape: unknown, range: unknown) => ({ dtype: "F32", shape, data_offsets: range });
  it.each<[string, Buffer[]]>([
    ["nothing", []],
    ["seven bytes", [Buffer.alloc(7)]],
    ["a header of 2^60 bytes", [u64(HUGE), Buffer.alloc(64)]],
    ["a header of 200 MiB", [u64(200 * MEBIBYTE), Buffer.alloc(64)]],
    ["a header longer than the file", [u64(100), Buffer.alloc(64)]],
    ["no JSON", file("{")],
    ["no UTF-8", [u64(2), Buffer.of(0xff, 0xff)]],
    ["a list", file([])],
    ["a tensor that is a number", file({ t: 4 })],
    ["an unknown type", file({ t: { ...f32([4], [0, 16]), dtype: "I4" } })],
    ["a type from the prototype", file({ t: { ...f32([4], [0, 16]), dtype: "constructor" } })],
    ["a size that is no number", file({ t: f32(["4"], [0, 16]) })],
    ["a size of -1", file({ t: f32([-1, -4], [0, 16]) })],
    ["a size of 1e300", file({ t: f32([1e300], [0, 16]) })],
    ["sizes whose product overflows", file({ t: f32([2 ** 40, 2 ** 40], [0, 16]) })],
    ["bytes that do not fit the shape", file({ t: f32([3], [0, 16]) })],
    ["offsets beyond the end", file({ t: f32([8], [0, 32]) })],
    ["offsets the wrong way", file({ t: f32([4], [16, 0]) })],
    ["three offsets", file({ t: f32([4], [0, 16, 32]) })],
    ["tensors that overlap", file({ t: f32([4], [0, 16]), u: f32([2], [8, 16]) })],
    ["bytes of no tensor", file({ t: f32([2], [0, 8]) })],
  ])("%s is ERR_PARSE", async (_, parts) => {
    writeFileSync(path, Buffer.concat(parts));
    const before = process.memoryUsage().arrayBuffers;
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: "ERR_PARSE" });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * MEBIBYTE);
  });
});

/** xorshift32: the same mutations on every machine. */
function generator(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const WORDS = [0n, 1n, 255n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** Changes one place: a byte, a word, a cut, or bytes put in or taken out. */
function mutate(original: Buffer, headerBytes: number, random: (below: number) => number): Buffer {
  const out = Buffer.from(original);
  const at = random(headerBytes - 8);
  switch (random(5)) {
    case 0:
      out[at]! ^= 1 << random(8);
      return out;
    case 1:
      out.writeBigUInt64LE(WORDS[random(WORDS.length)]!, at);
      return out;
    case 2:
      out.writeUInt32LE(Number(WORDS[random(5)]!), at);
      return out;
    case 3:
      return out.subarray(0, random(out.length));
    default: {
      const length = 1 + random(9);
      return Buffer.concat([out.subarray(0, at), Buffer.alloc(random(2) * length), out.subarray(at + length)]);
    }
  }
}

/** Opens, plans and closes: success, or a typed error. */
async function survives(open: () => Promise<unknown>): Promise<boolean> {
  try {
    await open();
    return true;
  } catch (error) {
    if (!isDiffuSpecError(error)) throw error;
    expect(["ERR_PARSE", "ERR_UNSUPPORTED"]).toContain(error.code);
    return false;
  }
}

it("two thousand damaged GGUF files end in a model or a typed error", async () => {
  const original = readFileSync(goldenPath("llama-scaled.gguf"));
  const random = generator(7);
  let opened = 0;
  for (let n = 0; n < 2000; n++) {
    writeFileSync(path, mutate(original, 2000, random));
    const fine = await survives(async () => {
      const source = await openSource(path);
      try {
        planOf(source);
      } finally {
        await source.close();
      }
    });
    if (fine) opened++;
  }
  expect(opened).toBeGreaterThan(0);
  expect(opened).toBeLessThan(1500);
});

it("a thousand damaged safetensors files end in tensors or a typed error", async () => {
  const original = readFileSync(goldenPath("llama-tied/model.safetensors"));
  const headerBytes = 8 + Number(original.readBigUInt64LE(0));
  const random = generator(11);
  let opened = 0;
  for (let n = 0; n < 1000; n++) {
    writeFileSync(path, mutate(original, headerBytes, random));
    if (await survives(async () => (await openSafetensors(path)).close())) opened++;
  }
  expect(opened).toBeLessThan(800);
});
