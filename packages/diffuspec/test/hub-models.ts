import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { createEngine, type DrafterName, type Engine, type EngineOptions } from "../src/engine.ts";

/** Small random models as they lie on the hub: onnx-decoder's make_hub_fixture.py with --bytes. */
export const at = (name: string) => fileURLToPath(new URL(`./hub/${name}`, import.meta.url));
export const target = at("target");
export const drafterModel = { directory: at("canvas"), canvas: { maskId: 264 } };
export const PROMPT = "abcab cabcabca";
export const root = mkdtempSync(join(tmpdir(), "diffuspec-hub-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let copies = 0;
export function copy(of: string, ...parts: string[]): string {
  const dir = join(root, String(copies++), ...parts);
  cpSync(of, dir, { recursive: true });
  return dir;
}
export const change = (dir: string, file: string, edit: (json: Record<string, unknown>) => void) => {
  const json = JSON.parse(readFileSync(join(dir, file), "utf8"));
  edit(json);
  writeFileSync(join(dir, file), JSON.stringify(json));
};
export async function withEngine<T>(
  options: Partial<EngineOptions>,
  use: (engine: Engine) => T | Promise<T>,
): Promise<T> {
  const engine = await createEngine({ threads: 1, ...options });
  try {
    return await use(engine);
  } finally {
    await engine.dispose();
  }
}
export const refused = (options: Partial<EngineOptions>) =>
  withEngine(options, () => "loaded").then(
    () => ({ code: "none", message: "", details: {} }),
    ({ code, message, details }) => ({ code, message, details }),
  );
export async function write(engine: Engine, drafter: DrafterName, options: object = {}) {
  const session = await engine.openSession({ drafter });
  const generation = session.generate(PROMPT, { maxTokens: 48, ...options });
  for (let drafted = 0; ; ) {
    const { done, value } = await generation.next();
    if (done) {
      await session.dispose();
      return { ids: [...value.tokens], drafted };
    }
    drafted += value.stats.drafted;
  }
}

/** Random weights repeat themselves: it takes heat, or a penalty, for a text that is worth comparing. */
const SAMPLERS = [
  {},
  { temperature: 6, seed: 4, minTokens: 30 },
  { temperature: 6, seed: 5, topP: 0.95, minTokens: 30 },
  { repetitionPenalty: 3, minTokens: 30 },
];
export async function expectEqualText(engine: Engine): Promise<void> {
  for (const options of SAMPLERS) {
    const plain = await write(engine, "none", options);
    expect(plain.drafted).toBe(0);
    if (options !== SAMPLERS[0]) expect(new Set(plain.ids).size).toBeGreaterThan(8);
    for (const drafter of engine.info.drafters) {
      const { ids, drafted } = await write(engine, drafter, options);
      expect([drafter, ids]).toEqual([drafter, plain.ids]);
      // In noise nothing may be worth drafting; where the text repeats, everything drafts.
      if (drafter !== "none" && options === SAMPLERS[0]) expect([drafter, drafted > 0]).toEqual([drafter, true]);
    }
  }
}
