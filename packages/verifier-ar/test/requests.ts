import type { Rows } from "@diffuspec/contracts";
import { expect } from "vitest";

export const PROMPT = Int32Array.from({ length: 12 }, (_, i) => (i * 23 + 5) % 64);
export const greedy = { logits: false };
export const full = { logits: true };
export const allLogits = (rows: Rows) => Array.from({ length: rows.count }, (_, row) => rows.logits(row).slice());
export const code = (code: string) => expect.objectContaining({ code });
