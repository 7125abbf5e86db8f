import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeNgram } from "@diffuspec/ngram-scorer";
import { expect, it } from "vitest";
import { readDrafter } from "./drafter-file.ts";

const weights = (file: string) => fileURLToPath(new URL(`../../../model-smollm2/weights/${file}`, import.meta.url));

const drafters = [
  ["drafter.safetensors", [10, 20, "output"]],
  ["stand-alone.safetensors", []],
] as const;

it.each(drafters)("%s of @diffuspec/model-smollm2 is whole and stays small", async (name, taps) => {
  const { config, tensors, bytes } = await readDrafter(weights(name));
  expect(config).toMatchObject({ vocabularySize: 49_152, width: 576, layers: 2, taps, shift: true });
  expect(bytes).toBeLessThan(8 * 2 ** 20);
  const { offset, length } = tensors.get("vocabulary")!;
  const file = readFileSync(weights(name));
  const ids = new Int32Array(file.buffer.slice(file.byteOffset + offset, file.byteOffset + offset + length));
  expect(ids.every((id, i) => id > (ids[i - 1] ?? -1) && id < 49_152 && id !== config.maskId)).toBe(true);
});

it("the n-gram of @diffuspec/model-smollm2 is that vocabulary's", () => {
  const ngram = readFileSync(weights("ngram.bin"));
  expect(decodeNgram(ngram).vocabularySize).toBe(49_152);
  expect(ngram.length).toBeLessThan(4 * 2 ** 20);
});
