import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { estimateNgram, readArpa, writeArpa } from "./index.ts";
import { readArpaGzip, writeArpaGzip } from "./node.ts";

const ids = Array.from({ length: 900 }, (_, i) => (i * i + 3 * (i % 5)) % 12);
const model = estimateNgram([ids], { order: 3, vocabularySize: 12 });
const packed = writeArpaGzip(model);
const size = { vocabularySize: 12 };

function changed(at: number, value: number): Uint8Array {
  const copy = packed.slice();
  copy[at] = value;
  return copy;
}

describe("ARPA in gzip", () => {
  test("comes back bit for bit, and is what gunzip unpacks", () => {
    expect(readArpaGzip(packed, size)).toEqual(model);
    expect(gunzipSync(packed).toString()).toBe(writeArpa(model));
    expect(packed.length).toBeLessThan(writeArpa(model).length / 2);
  });

  test("several members are one text, as gunzip has it", () => {
    const text = writeArpa(model);
    const members = Buffer.concat([gzipSync(text.slice(0, 1000)), gzipSync(text.slice(1000))]);
    expect(readArpaGzip(members, size)).toEqual(model);
  });

  test("words of one's own", () => {
    const words = writeArpaGzip(model, { piece: (id) => `w${id}` });
    expect(readArpaGzip(words, { ...size, id: (word) => Number(word.slice(1)) })).toEqual(model);
  });

  test.each([
    ["no gzip", changed(0, 65), 1],
    ["no gzip from its second byte", changed(1, 65), 1],
    ["another method, which zlib reads together with the next byte", changed(2, 9), 3],
    ["an empty file", new Uint8Array(0), 0],
    ["a file cut in the middle", packed.slice(0, 500), 500],
    ["a wrong checksum", changed(packed.length - 8, packed[packed.length - 8]! ^ 1), packed.length - 5],
    ["a wrong length", changed(packed.length - 4, packed[packed.length - 4]! ^ 1), packed.length - 1],
  ])("%s is ERR_PARSE with the byte", (_, bad, offset) => {
    expect(() => readArpaGzip(bad, size)).toThrow(
      expect.objectContaining({ code: "ERR_PARSE", details: expect.objectContaining({ offset }) }),
    );
  });

  test("a bomb is refused at the cap, not unpacked", () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    const before = process.memoryUsage().arrayBuffers;
    expect(() => readArpaGzip(bomb, { ...size, mostBytes: 1 << 20 })).toThrow(/more than 1048576 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
    expect(() => readArpaGzip(bomb, { ...size, mostBytes: 0 })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
  });

  test("what is wrong in the text is said by its line", () => {
    const text = writeArpa(model).replace("\\2-grams:", "\\4-grams:");
    const line = text.split("\n").indexOf("\\4-grams:") + 1;
    expect(() => readArpaGzip(gzipSync(text), size)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ line }) }),
    );
  });

  test("the main entry says where gzip is read", () => {
    expect(() => readArpa(packed, size)).toThrow(/it is gzip/);
  });
});
