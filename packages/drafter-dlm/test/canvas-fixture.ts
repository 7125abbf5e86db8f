import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Drafter } from "@diffuspec/contracts";
import { createArgmaxSearch } from "@diffuspec/cps";
import { afterAll } from "vitest";
import { type CanvasDrafterOptions, createCanvasDrafter } from "../src/index.ts";

/** A file of the small models in the convention of the hub. */
export const at = (file: string) => fileURLToPath(new URL(`../../onnx-decoder/test/hub/${file}`, import.meta.url));
export const golden: { ids: number[]; blockSize: number; full: number[]; block: number[] } = JSON.parse(
  readFileSync(at("golden.json"), "utf8"),
).canvas;
export const MASK = 64;
/** Nine known ids; in golden five masks follow. */
export const KNOWN = Int32Array.from(golden.ids.filter((id) => id !== MASK));
const open: Drafter[] = [];
afterAll(async () => {
  for (const drafter of open) await drafter.dispose?.();
});

/** A drafter, disposed after the tests of the file. */
export async function load(graph: string, options: Partial<CanvasDrafterOptions> = {}): Promise<Drafter> {
  const drafter = await createCanvasDrafter({
    graph: at(`canvas/onnx/${graph}.onnx`),
    search: createArgmaxSearch(),
    maskId: MASK,
    eosIds: [0],
    threads: 1,
    ...options,
  });
  open.push(drafter);
  return drafter;
}
