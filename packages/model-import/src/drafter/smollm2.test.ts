import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeNgram } from "@diffuspec/ngram-scorer";
import { expect, it } from "vitest";
import { readDrafter } from "./drafter-file.ts";

const weights = (file: string) => fileURLToPath(new URL(`../../../model-smollm2/weights/${file}`, import.meta.url));

it("the files of @diffuspec/model-smollm2 are whole, fit each other, and stay small", async () => {
  const { config, tensors, bytes } = await readDrafter(weights("drafter.safetensors"));
  expect(config).toMatchObject({ vocabularySize: 49_152, width: 576, layers: 2, taps: [10, 20, "output"] });
  const ngram = readFileSync(weights("ngram.bin"));
  expect(decodeNgram(ngram).vocabularySize).toBe(config.vocabularySize);
  expect(bytes + ngram.length).toBeLessThan(16 * 2 ** 20);
  const { offset, length } = tensors.get("vocabulary")!;
  const file = readFileSync(weights("drafter.safetensors"));
  const ids = new Int32Array(file.buffer.slice(file.byteOffset + offset, file.byteOffset + offset + length));
  expect(ids.every((id, i) => id > (ids[i - 1] ?? -1) && id < 49_152 && id !== config.maskId)).toBe(true);
});
