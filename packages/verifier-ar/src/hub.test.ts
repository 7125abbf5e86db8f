import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chain, type Rows, type Verifier } from "@diffuspec/contracts";
import { createPromptLookup } from "@diffuspec/drafters/prompt-lookup";
import { complete } from "@diffuspec/spec-loop";
import { createScriptedDrafter, verifierConformance } from "@diffuspec/testkit";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, expectTypeOf, it, vi } from "vitest";
import { randomInts } from "../test/fixture-model.ts";
import { directory, golden, openHub } from "../test/hub-fixture.ts";
import { type HubDtype, type HubVerifier, readHubModel } from "./index.ts";

const EXACT = ["fp32", "fp16", "q4"] as const satisfies HubDtype[];
const PROMPT = Int32Array.from(golden.ids);
const full = { logits: true };
const allLogits = (rows: Rows) => Array.from({ length: rows.count }, (_, row) => rows.logits(row).slice());

it("is a verifier of chains, by its type", () => {
  expectTypeOf<HubVerifier>().toExtend<Verifier>();
  expectTypeOf<HubVerifier["trees"]>().toEqualTypeOf<false>();
});

describe.each([
  ["fp32", "exact"],
  ["fp16", "exact"],
  ["q4", "exact"],
  ["q8", "tolerant"],
] as const)("the contract, %s, %s", (dtype, exactness) => {
  const verifier = openHub({ dtype, exactness, prefillChunk: 16 });
  afterAll(async () => (await verifier).dispose());
  // The suite compares bits, which a tolerant verifier does not promise.
  const bits = ["how many others", "bit for bit", "shared prefix", "aborted at any chunk"];
  for (const { name, run } of verifierConformance(() => verifier, { needs: { topK: 3 } })) {
    if (exactness === "tolerant" && bits.some((part) => name.includes(part))) continue;
    it(name, run);
  }
});

describe.each(EXACT)("%s", (dtype) => {
  const opened = openHub({ dtype });
  afterAll(async () => (await opened).dispose());
  const fresh = async (ids: number[], draft: number[]) => {
    const session = await (await opened).open();
    await session.prefill(Int32Array.from(ids));
    const logits = allLogits(await session.verify(chain(ids.at(-1)!, draft), full));
    await session.dispose();
    return logits;
  };

  it("rolled back after any history, the cache equals a fresh prefill, bit for bit", async () => {
    const verifier = await opened;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e9 }), async (seed) => {
        const random = randomInts(seed);
        const session = await verifier.open();
        const ids = Array.from({ length: 1 + random(30) }, () => random(64));
        await session.prefill(Int32Array.from(ids));
        for (let round = 0; round < 6 && ids.length < 70; round++) {
          const draft = Array.from({ length: random(20) }, () => random(64));
          const rows = await session.verify(chain(ids.at(-1)!, draft), { logits: random(2) === 0 });
          expect([rows.count, rows.exact]).toEqual([draft.length + 1, draft.length + 1]);
          const kept = random(draft.length + 1);
          await session.commit(Int32Array.from({ length: kept + 1 }, (_, i) => i));
          ids.push(...draft.slice(0, kept), random(64));
        }
        const after = allLogits(await session.verify(chain(ids.at(-1)!, [3, 1, 4]), full));
        expect(after).toEqual(await fresh(ids, [3, 1, 4]));
        await session.dispose();
      }),
      { numRuns: 25 },
    );
  });

  it("drafts do not change the text, greedy or sampled", async () => {
    const verifier = await opened;
    for (const sampler of [{}, { temperature: 0.8, seed: 5 }]) {
      const options = { maxTokens: 60, sampler, eosIds: [] };
      const plain = await complete({ verifier }, PROMPT, options);
      const drafted = await complete({ verifier, drafter: createPromptLookup() }, PROMPT, options);
      expect([...drafted.tokens]).toEqual([...plain.tokens]);
      expect(plain.tokens).toHaveLength(60);
      if (!("seed" in sampler)) expect(drafted.totals.accepted).toBeGreaterThan(0);
    }
  });

  it("no pass has a row count that leaves one over", async () => {
    const verifier = await opened;
    const run = vi.spyOn(verifier.chain, "run");
    const session = await verifier.open();
    for (const length of [1, 2, 34, 66, 67]) {
      await session.prefill(Int32Array.from({ length }, (_, i) => (i * 7 + length) % 64));
      for (const drafted of length < 60 ? [0, 1, 31, 32, 33] : [0, 1, 2])
        await session.verify(chain(((length - 1) * 7 + length) % 64, new Int32Array(drafted)), full);
    }
    const counts = run.mock.calls.map(([, { ids }]) => ids.length);
    run.mockRestore();
    expect(counts.length).toBeGreaterThan(20);
    expect(counts.filter((count) => count % 32 === 1)).toEqual([]);
  });
});

describe("the numbers of the reference", () => {
  it.each([
    ["fp32", golden.lastLogits, 4],
    ["fp16", golden.fp16.lastLogits, 1],
  ] as const)("%s", async (dtype, expected, digits) => {
    const verifier = await openHub({ dtype });
    expect(verifier).toMatchObject({
      vocabularySize: 64,
      contextLength: 96,
      maxNodes: 64,
      eosIds: [0, 63],
      bosId: 1,
      trees: false,
      exactness: "exact",
      rowExactness: { rowExact: true },
      chain: { kvType: dtype === "fp16" ? "float16" : "float32" },
    });
    const session = await verifier.open();
    await session.prefill(PROMPT.slice(0, 4));
    const rows = await session.verify(chain(PROMPT[3]!, PROMPT.slice(4)), full);
    const last = rows.logits(rows.count - 1);
    for (const [id, value] of expected.entries()) expect(last[id]).toBeCloseTo(value, digits);
    expect(Array.from({ length: rows.count }, (_, row) => rows.argmax(row))).toEqual(golden.argmax.slice(3));
    const { tokens } = await complete({ verifier, drafter: createPromptLookup() }, PROMPT, {
      maxTokens: 40,
      eosIds: [],
    });
    expect([...tokens]).toEqual(golden.greedy);
    await verifier.dispose();
  });
});

describe("per-tensor int8", () => {
  it("is refused in exact mode, with the way out", async () => {
    const refused = openHub({ dtype: "q8" });
    await expect(refused).rejects.toMatchObject({ code: "ERR_NOT_ROW_EXACT", details: { output: "logits" } });
    await expect(refused).rejects.toThrow('exactness: "tolerant"');
  });

  it("runs in tolerant mode", async () => {
    const verifier = await openHub({ dtype: "q8", exactness: "tolerant" });
    expect(verifier.rowExactness).toBeUndefined();
    const { tokens } = await complete({ verifier, drafter: createPromptLookup() }, PROMPT, {
      maxTokens: 40,
      eosIds: [],
    });
    expect(tokens).toHaveLength(40);
    await verifier.dispose();
  });
});

describe("trees", () => {
  it("are refused by the session, which stays usable", async () => {
    const verifier = await openHub();
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const tree = { tokens: Int32Array.of(PROMPT.at(-1)!, 1, 2), parents: Int32Array.of(-1, 0, 0) };
    await expect(session.verify(tree, full)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect((await session.verify(chain(PROMPT.at(-1)!, [1]), full)).count).toBe(2);
    await verifier.dispose();
  });

  it("are cut to their trunk by the loop, and the text is the same", async () => {
    const verifier = await openHub();
    const seen: number[] = [];
    const bush = createScriptedDrafter("bush", ({ ids, root, request }) => {
      seen.push(ids.length);
      if (request.length < 2) return { tree: chain(root, []) };
      return { tree: { tokens: Int32Array.of(root, 7, 8, 9, 10), parents: Int32Array.of(-1, 0, 1, 0, 3) } };
    });
    const options = { maxTokens: 20, eosIds: [] };
    const plain = await complete({ verifier }, PROMPT, options);
    const drafted = await complete({ verifier, drafter: bush }, PROMPT, options);
    expect([...drafted.tokens]).toEqual([...plain.tokens]);
    expect(seen.length).toBeGreaterThan(0);
    await verifier.dispose();
  });
});

describe("the files", () => {
  const made: string[] = [];
  afterEach(() => {
    for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
  });
  const copy = (): string => {
    const dir = mkdtempSync(join(tmpdir(), "hub-"));
    made.push(dir);
    cpSync(directory, dir, { recursive: true });
    return dir;
  };
  const refused = async (dir: string, code: string, text: string, options: object = {}) => {
    const opened = openHub({ directory: dir, probe: "off", ...options });
    await expect(opened).rejects.toMatchObject({ code });
    await expect(opened).rejects.toThrow(text);
  };
  const write = (dir: string, file: string, change: object) => {
    const model = JSON.parse(JSON.stringify(change));
    writeFileSync(join(dir, file), JSON.stringify(model));
  };
  const config = { num_hidden_layers: 2, max_position_embeddings: 160, vocab_size: 64, eos_token_id: 0 };

  it("are named when they are missing", async () => {
    await refused("/no/such/folder", "ERR_MODEL_FILE_MISSING", "config.json");
    const dir = copy();
    await refused(dir, "ERR_MODEL_FILE_MISSING", "model_q4.onnx", { dtype: "int8" });
    await refused(dir, "ERR_OPTION", "q4f16", { dtype: "q5" as never });
    rmSync(join(dir, "onnx/model.onnx_data"));
    await refused(dir, "ERR_MODEL_FILE_MISSING", "model.onnx_data");
    rmSync(join(dir, "onnx"), { recursive: true });
    await refused(dir, "ERR_MODEL_FILE_MISSING", "no .onnx file");
  });

  it("may lie beside config.json, have other names, and be links into a store, as in the hub's own cache", async () => {
    const flat = copy();
    for (const name of readdirSync(join(flat, "onnx"))) renameSync(join(flat, "onnx", name), join(flat, name));
    rmSync(join(flat, "onnx"), { recursive: true });
    renameSync(join(flat, "model_quantized.onnx"), join(flat, "model_q8.onnx"));
    await (await openHub({ directory: flat, probe: "off" })).dispose();
    await (await openHub({ directory: flat, probe: "off", dtype: "q8" })).dispose();
    await (await openHub({ directory, probe: "off", graph: join(flat, "model_q4.onnx") })).dispose();

    const cache = mkdtempSync(join(tmpdir(), "hub-"));
    made.push(cache);
    mkdirSync(join(cache, "blobs"));
    mkdirSync(join(cache, "snapshots/1/onnx"), { recursive: true });
    for (const [i, name] of ["config.json", "onnx/model.onnx", "onnx/model.onnx_data"].entries()) {
      cpSync(join(directory, name), join(cache, `blobs/${i}`));
      symlinkSync(join(cache, `blobs/${i}`), join(cache, "snapshots/1", name));
    }
    await (await openHub({ directory: join(cache, "snapshots/1"), probe: "off" })).dispose();
  });

  it("are held against each other", async () => {
    const dir = copy();
    write(dir, "config.json", { ...config, vocab_size: 65 });
    await refused(dir, "ERR_GRAPH", "vocabularySize is 64 in the graph and 65");
    write(dir, "config.json", { ...config, eos_token_id: 64 });
    await refused(dir, "ERR_OPTION", "eos_token_id 64");
    write(dir, "config.json", { ...config, eos_token_id: "end" });
    await refused(dir, "ERR_PARSE", 'eos_token_id holds "end"');
    write(dir, "config.json", { ...config, num_hidden_layers: 0 });
    await refused(dir, "ERR_PARSE", "num_hidden_layers is 0");
    writeFileSync(join(dir, "config.json"), "{");
    await refused(dir, "ERR_PARSE", "config.json");
    write(dir, "config.json", { eos_token_id: [0] });
    await refused(dir, "ERR_OPTION", "contextLength");
    await (await openHub({ directory: dir, probe: "off", contextLength: 40 })).dispose();
  });

  it("limit the context", async () => {
    await refused(directory, "ERR_OPTION", "at most 96", { contextLength: 97 });
    await refused(directory, "ERR_OPTION", "maxNodes", { maxNodes: 1 });
    await refused(directory, "ERR_OPTION", "prefillChunk", { prefillChunk: 1 });
    await refused(directory, "ERR_OPTION", "exactness", { exactness: "nearly" });
    const vocabulary = { size: 65, fingerprint: "", piece: () => undefined };
    await refused(directory, "ERR_VOCABULARY_MISMATCH", "65", { vocabulary });
    const verifier = await openHub({ contextLength: 50, maxNodes: 8 });
    expect(verifier).toMatchObject({ contextLength: 50, maxNodes: 8 });
    await verifier.dispose();
    expect(() => verifier.open()).toThrow("disposed");
  });

  it("config.json alone is enough; generation_config.json comes first", () => {
    const dir = copy();
    expect(readHubModel(dir)).toMatchObject({
      eosIds: [0, 63],
      bosId: 1,
      positions: 160,
      sizes: { kvHeads: 2, headDim: 8 },
    });
    rmSync(join(dir, "generation_config.json"));
    expect(readHubModel(dir)).toMatchObject({ eosIds: [0], bosId: 1 });
  });
});
