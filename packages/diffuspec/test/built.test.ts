import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as Facade from "../src/index.ts";
import type { Model } from "../src/index.ts";
import { missingModel, modelDirectory } from "./model-directory.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = join(root, "dist/index.js");
if (!existsSync(built))
  throw new Error("packages/diffuspec is not built; run `pnpm --filter diffuspec... build`, or `npm test`, which does");
const { load } = (await import(built)) as typeof Facade;
const node = promisify(execFile);

describe.skipIf(missingModel)(`the built worker${missingModel ? ` (skipped: ${missingModel})` : ""}`, () => {
  let model: Model;
  beforeAll(async () => {
    model = await load({ model: modelDirectory });
  });
  afterAll(() => model?.dispose());

  test("leaves the event loop of this thread free while it decodes", async () => {
    let ticks = 0;
    let counting = true;
    const count = () => {
      ticks++;
      if (counting) setImmediate(count);
    };
    count();
    let rounds = 0;
    for await (const event of model.generate("function add(", { maxTokens: 60, minTokens: 60, drafter: "none" }))
      if (event.type === "tokens") rounds++;
    counting = false;
    expect(rounds).toBe(60);
    // In this thread every pass would let a tick or two through.
    expect(ticks).toBeGreaterThan(10 * rounds);
  });

  test("writes the same ids with the diffusion drafter as without", async () => {
    for (const sampling of [{}, { temperature: 0.8, seed: 11 }]) {
      const options = { maxTokens: 48, ...sampling };
      const drafted = await model.complete("const fs = ", { ...options, drafter: "dlm" });
      expect(drafted.ids).toEqual((await model.complete("const fs = ", { ...options, drafter: "none" })).ids);
      expect(drafted.stats.drafted).toBeGreaterThan(0);
    }
  });

  test("keeps the cache of a conversation", async () => {
    const chat = model.session();
    await chat.complete("let x = 1;\n", { maxTokens: 12, minTokens: 12 });
    const before = chat.ids.length;
    const { stats } = await chat.complete("\nlet y = ", { maxTokens: 8 });
    expect(stats.reusedTokens).toBe(before - 1);
    chat.dispose();
  });

  test("stops a running call and a prefill, and goes on", async () => {
    const running = new AbortController();
    const run = (async () => {
      for await (const _ of model.generate("x", { maxTokens: 400, minTokens: 400, signal: running.signal }))
        running.abort();
    })();
    await expect(run).rejects.toMatchObject({ code: "ERR_ABORTED" });
    const prefill = new AbortController();
    const long = new Int32Array(model.info.contextLength - 8).fill(7);
    const second = model.complete(long, { signal: prefill.signal });
    setTimeout(() => prefill.abort(), 2);
    await second.catch((error) => expect(error.code).toBe("ERR_ABORTED"));
    expect((await model.complete("y", { maxTokens: 5, minTokens: 5 })).ids.length).toBe(5);
  });

  test("refuses a prompt over the context with the numbers", async () => {
    await expect(model.complete(new Int32Array(model.info.contextLength + 1))).rejects.toMatchObject({
      code: "ERR_CONTEXT_EXCEEDED",
      details: { contextLength: model.info.contextLength },
    });
  });

  test("inspects", async () => {
    const found = await model.inspect({ thorough: false, rowCounts: [1, 8], repeats: 1 });
    expect(found.rowExactness).toMatchObject({ rowExact: true, firstDifference: undefined });
    expect(found.timeByRows.map(({ rows }) => rows)).toEqual([1, 8]);
  });

  test("gives up a load at any moment, and the process ends by itself", async () => {
    const script = `
      const { load } = require("diffuspec");
      (async () => {
        for (const ms of [1, 60, 200]) {
          const signal = AbortSignal.timeout(ms);
          await load({ model: ${JSON.stringify(modelDirectory)}, signal }).then(
            (model) => model.dispose(),
            (error) => console.log(error.code),
          );
        }
      })();`;
    const { stdout, stderr } = await node(process.execPath, ["-e", script], { cwd: root });
    expect(stdout).toMatch(/^(ERR_ABORTED\n)+$/);
    expect(stderr).toBe("");
  });

  test("lets the process end by itself, from CommonJS too", async () => {
    const script = `
      const { load } = require("diffuspec");
      load({ model: ${JSON.stringify(modelDirectory)}, drafter: "prompt-lookup" })
        .then((model) => model.complete("x", { maxTokens: 3, minTokens: 3 }))
        .then(({ ids }) => console.log(ids.length));`;
    expect((await node(process.execPath, ["-e", script], { cwd: root })).stdout).toBe("3\n");
  });

  test("survives process.exit() in the middle of a pass, of a load, and of a thrown error", async () => {
    const script = (then: string) => `
      const { load } = require("diffuspec");
      (async () => {
        const loading = load({ model: ${JSON.stringify(modelDirectory)} });
        ${then}
      })();`;
    const endings = [
      "setTimeout(() => process.exit(7), 100); await loading;",
      "for await (const _ of (await loading).generate('x', { maxTokens: 400, minTokens: 400 })) process.exit(7);",
      "for await (const _ of (await loading).generate('x', { maxTokens: 400, minTokens: 400 })) setImmediate(() => { process.exitCode = 7; throw new Error('own'); });",
    ];
    for (const ending of endings)
      for (let i = 0; i < 3; i++) {
        const result = await node(process.execPath, ["-e", script(ending)], { cwd: root }).catch((error) => error);
        expect([7, 1]).toContain(result.code);
        expect(result.stderr).not.toContain("terminate");
      }
  });
});

describe.skipIf(missingModel)("a model that is not what it says", () => {
  const folder = mkdtempSync(join(tmpdir(), "diffuspec-model-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    [
      "altered",
      "ERR_MODEL_FILE_ALTERED",
      (file: string) => {
        const bytes = readFileSync(file);
        bytes[bytes.length >> 1]! ^= 1;
        writeFileSync(file, bytes);
      },
    ],
    ["truncated", "ERR_MODEL_FILE_ALTERED", (file: string) => truncateSync(file, 1000)],
    ["missing", "ERR_MODEL_FILE_MISSING", (file: string) => rmSync(file)],
  ] as const)("%s weights are refused with %s", async (name, code, spoil) => {
    const copy = join(folder, name);
    cpSync(modelDirectory, copy, { recursive: true });
    spoil(join(copy, "target.int8.bin"));
    await expect(load({ model: copy })).rejects.toMatchObject({ code, name: "DiffuSpecError" });
  });
});

test("options are refused before a worker starts", async () => {
  await expect(load({ modle: "x" } as never)).rejects.toMatchObject({ code: "ERR_OPTION" });
});
