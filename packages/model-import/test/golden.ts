import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

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
