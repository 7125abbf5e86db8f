import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, DRAFTER_NAMES, type Engine } from "../src/engine.ts";

/** Made by `npm run smollm2`; a fresh clone does not have it. */
const model = fileURLToPath(new URL("../../../models/smollm2-135m", import.meta.url));
const here = existsSync(`${model}/drafter.safetensors`);

describe.skipIf(!here)(
  `SmolLM2 with its drafter${here ? "" : " (models/smollm2-135m is missing: npm run smollm2)"}`,
  () => {
    let engine: Engine | undefined;
    const opened = async () => {
      engine ??= await createEngine({ model });
      return engine;
    };
    afterAll(() => engine?.dispose());

    const prompt = { messages: [{ role: "user", content: "Why is the sky blue? Answer in two sentences." }] } as const;
    const written = async (drafter: (typeof DRAFTER_NAMES)[number], options: object) => {
      const session = await (await opened()).openSession({ drafter });
      const generation = session.generate(prompt, { maxTokens: 48, ...options });
      for (;;) {
        const { done, value } = await generation.next();
        if (done) return { ids: [...value.tokens], rounds: value.totals.rounds };
      }
    };

    it.each([
      ["greedy", {}],
      ["sampled", { temperature: 0.8, seed: 4, topP: 0.95 }],
      ["with a penalty", { repetitionPenalty: 1.1 }],
    ])("every drafter writes what plain decoding writes, %s", { timeout: 120_000 }, async (_, options) => {
      const plain = await written("none", options);
      expect(plain.ids.length).toBeGreaterThan(20);
      for (const drafter of DRAFTER_NAMES) {
        const drafted = await written(drafter, options);
        expect([drafter, drafted.ids]).toEqual([drafter, plain.ids]);
      }
    });
  },
);
