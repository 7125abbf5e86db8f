import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createManifest } from "@diffuspec/model-files";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type DrafterName, type Engine } from "../src/engine.ts";
import { openPair } from "../src/pair.ts";
import { missingModel, modelDirectory } from "./model-directory.ts";

/** Prompts of the kind the pair was trained on. */
const PROMPTS = ["function add(a, b) {\n", "const fs = require('fs');\n"];

describe.skipIf(missingModel)(`the engine on the real pair${missingModel ? ` (skipped: ${missingModel})` : ""}`, () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ model: modelDirectory });
  });
  afterAll(() => engine?.dispose());

  test("says what is loaded", () => {
    expect(engine.info).toMatchObject({ precision: "int8", exactness: "exact", rowExact: true, drafter: "hybrid" });
    expect(engine.info.files.length).toBeGreaterThan(5);
    expect(engine.info.drafters).toContain("dlm");
  });

  test("puts the BOS id in front of text, and leaves ids alone", () => {
    const ids = engine.tokenizer.encode("let x");
    expect([...engine.encode("let x")]).toEqual([0, ...ids]);
    expect([...engine.encode("let x", { begin: false })]).toEqual([...ids]);
    expect(engine.encode(ids)).toBe(ids);
  });

  test.each([{}, { temperature: 0.7, seed: 3, repetitionPenalty: 1.1 }])(
    "every drafter writes what plain decoding writes, %o",
    async (sampling) => {
      const plain = await engine.openSession({ drafter: "none" });
      for (const drafter of engine.info.drafters) {
        const session = await engine.openSession({ drafter });
        for (const prompt of PROMPTS) {
          const options = { maxTokens: 24, ...sampling };
          expect([...(await run(session, prompt, options))]).toEqual([...(await run(plain, prompt, options))]);
        }
        await session.dispose();
      }
      await plain.dispose();
    },
  );

  test("hybrid is the n-gram where one samples, however little it expects", async () => {
    const unsure = await createEngine({ model: modelDirectory, ngram: { least: 100 } });
    /** Rounds in which a lattice was searched. */
    const searched = async (drafter: DrafterName, temperature: number) => {
      const session = await unsure.openSession({ drafter, lengthController: { fixed: 8 } });
      let rounds = 0;
      for await (const { stats } of session.generate(PROMPTS[0]!, { maxTokens: 24, temperature }))
        if (stats.searchMs > 0) rounds++;
      await session.dispose();
      return rounds;
    };
    expect(await searched("hybrid", 0)).toBeGreaterThan(0);
    expect(await searched("hybrid", 0.7)).toBe(0);
    expect(await searched("dlm", 0.7)).toBeGreaterThan(0);
    await unsure.dispose();
  });

  test("hybrid is the n-gram where nothing is too little, and the diffusion model where nothing suffices", async () => {
    const rounds = async (from: Engine, drafter: DrafterName) => {
      const session = await from.openSession({ drafter });
      const seen: number[][] = [];
      for (const prompt of PROMPTS)
        for await (const { stats } of session.generate(prompt, { maxTokens: 40 }))
          seen.push([stats.drafted, stats.accepted]);
      await session.dispose();
      return seen;
    };
    for (const [least, same] of [
      [0, "ngram"],
      [1024, "dlm"],
    ] as const) {
      const other = await createEngine({ model: modelDirectory, ngram: { least } });
      expect(await rounds(other, "hybrid")).toEqual(await rounds(engine, same));
      await other.dispose();
    }
  });

  test("a tree of few nodes, and temperatures, shape the drafts and not the text", async () => {
    const text = async (from: Engine) => {
      const session = await from.openSession({ drafter: "dlm" });
      const drafted: number[] = [];
      let ids: number[] = [];
      for await (const round of session.generate(PROMPTS[0]!, { maxTokens: 40 })) {
        drafted.push(round.stats.drafted);
        ids = [...ids, ...round.tokens];
      }
      await session.dispose();
      return { drafted, ids };
    };
    const usual = await text(engine);
    for (const [options, limit] of [
      [{ search: { tree: { maxNodes: 3 } } }, 3],
      [{ lattice: { temperatures: [1, 8] }, search: { cut: 0.2 } }, 10],
    ] as const) {
      const other = await createEngine({ model: modelDirectory, ...options });
      const { drafted, ids } = await text(other);
      expect(ids).toEqual(usual.ids);
      expect(drafted).not.toEqual(usual.drafted);
      expect(Math.max(...drafted)).toBeLessThanOrEqual(limit);
      await other.dispose();
    }
  });

  test("refuses after dispose", async () => {
    const other = await createEngine({ model: modelDirectory, drafter: "none" });
    await other.dispose();
    await other.dispose();
    for (const call of [() => other.openSession(), () => other.generate("x").next(), () => other.inspect()])
      await expect(call()).rejects.toThrow(
        expect.objectContaining({ code: "ERR_CLOSED", message: expect.stringMatching(/^The engine/) }),
      );
  });
});

describe.skipIf(missingModel)("conversations", () => {
  const folder = mkdtempSync(join(tmpdir(), "diffuspec-chat-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const withTemplate = async (name: string, template: string) => {
    const copy = join(folder, name);
    cpSync(modelDirectory, copy, { recursive: true });
    writeFileSync(join(copy, "chat.jinja"), template);
    const manifest = JSON.parse(readFileSync(join(copy, "manifest.json"), "utf8"));
    await createManifest(copy, { ...manifest, chatTemplate: "chat.jinja" });
    return copy;
  };

  test("are rendered by the model's template and decoded as any prompt", async () => {
    const template = "{{ bos_token }}{% for m in messages %}// {{ m.role }}: {{ m.content }}\n{% endfor %}";
    const engine = await createEngine({ model: await withTemplate("good", template), drafter: "prompt-lookup" });
    expect(engine.info.chat).toBe(true);
    const messages = [
      { role: "user", content: "add" },
      { role: "assistant", content: "ok" },
    ];
    const ids = engine.encode({ messages });
    expect(ids).toEqual(engine.encode("// user: add\n// assistant: ok\n"));
    const session = await engine.openSession();
    const expected = await run(session, "// user: add\n// assistant: ok\n", { maxTokens: 8 });
    for (let generation = session.generate({ messages }, { maxTokens: 8 }); ; ) {
      const step = await generation.next();
      if (!step.done) continue;
      expect(step.value.tokens).toEqual(expected);
      break;
    }
    expect(() => engine.encode({ messages: [] })).toThrow(expect.objectContaining({ code: "ERR_PROMPT" }));
    await engine.dispose();
  });

  test("need a template: none, and one that is none, are typed errors", async () => {
    const engine = await createEngine({ model: modelDirectory, drafter: "none" });
    expect(engine.info.chat).toBe(false);
    const encode = () => engine.encode({ messages: [{ role: "user", content: "x" }] });
    expect(encode).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
    expect(encode).toThrow("chat template");
    await engine.dispose();
    const broken = await withTemplate("broken", "{% if %}");
    await expect(createEngine({ model: broken, drafter: "none" })).rejects.toMatchObject({ code: "ERR_PARSE" });
  });
});

describe("opening a model", () => {
  test.each([
    ["/nowhere/at/all", "ERR_MODEL_UNKNOWN"],
    ["no-such-name", "ERR_MODEL_UNKNOWN"],
  ])("%s is %s", async (model, code) => {
    await expect(createEngine({ model })).rejects.toMatchObject({ code });
  });

  test.skipIf(missingModel).each(["files", "target", "drafter"] as const)(
    "that is aborted at its %s ends with ERR_ABORTED",
    async (phase) => {
      const abort = new AbortController();
      const seen: string[] = [];
      const onProgress = (progress: { phase: string }) => {
        seen.push(progress.phase);
        if (progress.phase === phase) abort.abort();
      };
      const opening = createEngine({ model: modelDirectory, drafter: "dlm", signal: abort.signal, onProgress });
      await expect(opening).rejects.toMatchObject({ code: "ERR_ABORTED" });
      expect(seen.at(-1)).toBe(phase);
    },
  );

  test("whose package is not installed says how to install it", async () => {
    const opening = openPair("tiny-js", { load: () => Promise.reject(new Error("Cannot find package")) });
    await expect(opening).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    await expect(opening).rejects.toThrow("npm install @diffuspec/model-tiny-js");
  });
});

async function run(
  session: Awaited<ReturnType<Engine["openSession"]>>,
  prompt: string,
  options: Record<string, number>,
): Promise<Int32Array> {
  const generation = session.generate(prompt, options);
  for (;;) {
    const step = await generation.next();
    if (step.done) return step.value.tokens;
  }
}
