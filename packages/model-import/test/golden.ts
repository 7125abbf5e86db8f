import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createCache, type Decoder, rowRange } from "@diffuspec/onnx-decoder";

/** A file that scripts/golden.py wrote. */
export const goldenPath = (file: string): string => fileURLToPath(new URL(`./golden/${file}`, import.meta.url));

/** What PyTorch, and the gguf package, say. */
export const golden: {
  readonly ids: number[];
  readonly models: Record<string, { logits: number[] }>;
  /** Values are the bits of float32. */
  readonly formats: Record<string, { bytes: string; values: number[] }>;
  readonly int8: { matrix: number[]; q: number[]; scales: number[] };
} = JSON.parse(readFileSync(goldenPath("golden.json"), "utf8"));

/** A decoder's logits of the golden ids, in two passes. */
export async function logitsOf(decoder: Decoder): Promise<number[]> {
  const cache = createCache(decoder.shape);
  const logits: number[] = [];
  for (const [start, end] of [
    [0, 5],
    [5, 14],
  ] as const) {
    const ids = Int32Array.from(golden.ids.slice(start, end));
    const pass = await decoder.run(cache, { ids, rows: rowRange(0, ids.length), fetch: ["logits", "new_kv"] });
    logits.push(...pass.f32("logits"));
    cache.append(pass, rowRange(0, ids.length));
  }
  return logits;
}
