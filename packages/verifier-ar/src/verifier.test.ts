import {
  argmax,
  CONTRACT_VERSION,
  chain,
  type Rows,
  trunkLength,
  type VerifierSession,
  type Vocabulary,
} from "@diffuspec/contracts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { open, randomInts, randomTree, resolve, target } from "../test/fixture-model.ts";
import type { OnnxVerifier } from "./index.ts";

const PROMPT = Int32Array.from({ length: 12 }, (_, i) => (i * 23 + 5) % 64);
const greedy = { logits: false };
const full = { logits: true };
const allLogits = (rows: Rows) => Array.from({ length: rows.count }, (_, row) => rows.logits(row).slice());
const code = (code: string) => expect.objectContaining({ code });

describe.each(["int8", "fp32"] as const)("%s, exact", (precision) => {
  let verifier: OnnxVerifier;
  beforeAll(async () => {
    verifier = await open({ precision });
  });
  afterAll(() => verifier.dispose());

  /** Logits of the root after `ids`, from a session that has seen nothing else. */
  async function fresh(ids: Int32Array, probeTokens: readonly number[] = []): Promise<Float32Array[]> {
    const session = await verifier.open();
    await session.prefill(ids);
    const rows = await session.verify(chain(ids.at(-1)!, probeTokens), full);
    const logits = allLogits(rows);
    await session.dispose();
    return logits;
  }

  it("states what it is", () => {
    expect(verifier).toMatchObject({
      contractVersion: CONTRACT_VERSION,
      exactness: "exact",
      vocabularySize: 64,
      contextLength: 96,
      maxNodes: 32,
      eosIds: [0],
      precision,
      rowExactness: { rowExact: true },
    });
  });

  it("KV after any history of accepted and rejected chains and trees equals a fresh prefill, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e9 }), async (seed) => {
        const random = randomInts(seed);
        const session = await verifier.open();
        let ids = Array.from({ length: 1 + random(30) }, () => random(64));
        await session.prefill(Int32Array.from(ids));
        for (let round = 0; round < 7 && ids.length < 70; round++) {
          const nodes = 1 + random(20);
          const tree = randomTree(random, ids.at(-1)!, nodes, random(2) === 0 ? 100 : 75);
          const rows = await session.verify(tree, random(2) === 0 ? greedy : full);
          expect(rows.exact).toBe(trunkLength(tree));
          const path = Int32Array.from({ length: 1 + random(rows.exact) }, (_, i) => i);
          await session.commit(path);
          ids = [...ids, ...[...path.subarray(1)].map((node) => tree.tokens[node]!), random(64)];
          expect(session.length).toBe(ids.length - 1);
        }
        const draft = [3, 1, 4];
        const after = allLogits(await session.verify(chain(ids.at(-1)!, draft), full));
        expect(after).toEqual(await fresh(Int32Array.from(ids), draft));
        await session.dispose();
      }),
      { numRuns: 100 },
    );
  });

  it("rows do not depend on the draft's length, its padding, or a tree around the trunk", async () => {
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const tokens = Array.from({ length: 31 }, (_, i) => (i * 11 + 2) % 64);
    const root = PROMPT.at(-1)!;
    const whole = allLogits(await session.verify(chain(root, tokens), full));
    for (let length = 0; length <= tokens.length; length++) {
      const rows = await session.verify(chain(root, tokens.slice(0, length)), full);
      expect(rows.count).toBe(length + 1);
      expect(rows.exact).toBe(length + 1);
      expect(allLogits(rows)).toEqual(whole.slice(0, length + 1));
      expect(() => rows.logits(length + 1)).toThrow(code("ERR_CONTRACT"));
      expect(() => rows.argmax(length + 1)).toThrow(code("ERR_CONTRACT"));
    }
    for (const trunk of [1, 2, 9, 20]) {
      const path = chain(root, tokens.slice(0, trunk));
      const tree = {
        tokens: Int32Array.of(...path.tokens, 7, 8, 9),
        parents: Int32Array.of(...path.parents, 0, 0, trunk + 2),
      };
      const rows = await session.verify(tree, full);
      expect(rows.exact).toBe(trunk + 1);
      expect(allLogits(rows).slice(0, rows.exact)).toEqual(whole.slice(0, rows.exact));
    }
    await session.dispose();
  });

  it("a node of a tree sees its ancestors only", async () => {
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const root = PROMPT.at(-1)!;
    const rows = await session.verify(
      { tokens: Int32Array.of(root, 10, 20, 30, 40), parents: Int32Array.of(-1, 0, 0, 2, 3) },
      full,
    );
    const branch = await session.verify(chain(root, [20, 30, 40]), full);
    for (const [node, row] of [
      [2, 1],
      [3, 2],
      [4, 3],
    ] as const)
      for (let id = 0; id < 64; id++) expect(rows.logits(node)[id]).toBeCloseTo(branch.logits(row)[id]!, 1);
    expect(rows.argmax(4)).toBe(branch.argmax(3));
    await session.dispose();
  });

  it("the chunks of a prefill do not show", async () => {
    const ids = Int32Array.from({ length: 90 }, (_, i) => (i * 29 + 3) % 64);
    for (const length of [1, 2, 3, 33, 34, 65, 66, 90]) {
      const expected = await fresh(ids.slice(0, length));
      for (const prefillChunk of [2, 7, 32, 33, 64]) {
        const other = await open({ precision, prefillChunk, probe: "off" });
        const session = await other.open();
        expect(await session.prefill(ids.slice(0, length))).toEqual({ reused: 0, computed: length - 1 });
        expect(allLogits(await session.verify(chain(ids[length - 1]!, []), full))).toEqual(expected);
        await other.dispose();
      }
    }
  });

  it("the graph's argmax, the argmax of the logits, and the best of the top ids agree", async () => {
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const tree = chain(PROMPT.at(-1)!, [1, 2, 3, 4, 5]);
    const fromGraph = await session.verify(tree, greedy);
    const fromLogits = await session.verify(tree, { logits: true, topK: 5 });
    for (let row = 0; row < 6; row++) {
      expect(fromGraph.argmax(row)).toBe(fromLogits.argmax(row));
      expect(fromLogits.argmax(row)).toBe(argmax(fromLogits.logits(row)));
      expect(fromLogits.top(row)[0]).toBe(fromGraph.argmax(row));
      expect(fromLogits.top(row)).toHaveLength(5);
    }
    await session.dispose();
  });
});

describe("taps", () => {
  it("are the rows of the tree, for chains and trees alike", async () => {
    const verifier = await open();
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const needs = { logits: false, taps: [0, "output"] as const };
    const one = await session.verify(chain(PROMPT.at(-1)!, [8]), needs);
    const tree = await session.verify(
      { tokens: Int32Array.of(PROMPT.at(-1)!, 8, 9), parents: Int32Array.of(-1, 0, 0) },
      needs,
    );
    expect(one.tap(1, 0)).toHaveLength(32);
    expect(tree.tap(1, "output")).toEqual(one.tap(1, "output"));
    expect(tree.tap(1, 0)).toEqual(one.tap(1, 0));
    expect(one.tap(0, 0)).not.toEqual(one.tap(1, 0));
    expect(() => one.tap(0, 1)).toThrow(code("ERR_CONTRACT"));
    expect(() => one.logits(0)).toThrow(code("ERR_CONTRACT"));
    expect(() => one.top(0)).toThrow(code("ERR_CONTRACT"));
    await expect(session.verify(chain(1, []), { logits: false, taps: [2] })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
    await expect(session.verify(chain(1, []), { logits: false, topK: 65 })).rejects.toMatchObject({
      code: "ERR_OPTION",
    });
    await verifier.dispose();
  });
});

describe("prefill", () => {
  let verifier: OnnxVerifier;
  let session: VerifierSession;
  beforeAll(async () => {
    verifier = await open({ prefillChunk: 8 });
    session = await verifier.open();
  });
  afterAll(() => verifier.dispose());
  const ids = Int32Array.from({ length: 50 }, (_, i) => (i * 7 + 1) % 64);

  it("reuses what it has, committed tokens included", async () => {
    expect(await session.prefill(ids.slice(0, 20))).toEqual({ reused: 0, computed: 19 });
    expect(await session.prefill(ids.slice(0, 20))).toEqual({ reused: 19, computed: 0 });
    expect(await session.prefill(ids.slice(0, 10))).toEqual({ reused: 9, computed: 0 });
    await session.verify(chain(ids[9]!, [ids[10]!, ids[11]!, 0]), greedy);
    await session.commit(Int32Array.of(0, 1, 2));
    expect(session.length).toBe(12);
    expect(await session.prefill(ids.slice(0, 30))).toEqual({ reused: 12, computed: 17 });
    const other = ids.slice(0, 30);
    other[5] = 63;
    expect(await session.prefill(other)).toEqual({ reused: 5, computed: 24 });
    expect(await session.prefill(ids.slice(0, 1))).toEqual({ reused: 0, computed: 0 });
  });

  it("reports progress after each chunk", async () => {
    const seen: [number, number][] = [];
    await session.prefill(ids.slice(0, 1));
    await session.prefill(ids.slice(0, 20), { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen).toEqual([
      [8, 19],
      [16, 19],
      [19, 19],
    ]);
  });

  it("stops between chunks when aborted, keeps what it has, and stays usable", async () => {
    await session.prefill(ids.slice(0, 1));
    const abort = new AbortController();
    const running = session.prefill(ids, {
      signal: abort.signal,
      onProgress: (done) => {
        if (done === 16) abort.abort(new Error("enough"));
      },
    });
    await expect(running).rejects.toMatchObject({ code: "ERR_ABORTED", name: "AbortError" });
    expect(session.length).toBe(16);
    await expect(session.prefill(ids, { signal: abort.signal })).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(await session.prefill(ids)).toEqual({ reused: 16, computed: 33 });
    const rows = await session.verify(chain(ids.at(-1)!, [2]), full);
    const other = await verifier.open();
    await other.prefill(ids);
    expect(allLogits(await other.verify(chain(ids.at(-1)!, [2]), full))).toEqual(allLogits(rows));
  });

  it("refuses prompts it cannot run", async () => {
    await expect(session.prefill(new Int32Array())).rejects.toMatchObject({ code: "ERR_PROMPT" });
    await expect(session.prefill(Int32Array.of(1, 64))).rejects.toMatchObject({
      code: "ERR_PROMPT",
      details: { id: 64, at: 1 },
    });
    await expect(session.prefill(Int32Array.of(-1))).rejects.toMatchObject({ code: "ERR_PROMPT" });
    await expect(session.prefill(new Int32Array(97))).rejects.toMatchObject({ code: "ERR_CONTEXT_EXCEEDED" });
  });
});

describe("the context", () => {
  it("serves its last id, with any tree that fits", async () => {
    const verifier = await open();
    const session = await verifier.open();
    const ids = Int32Array.from({ length: 96 }, (_, i) => (i * 5 + 1) % 64);
    await session.prefill(ids);
    expect((await session.verify(chain(ids[95]!, []), greedy)).count).toBe(1);
    await expect(session.verify(chain(ids[95]!, [1]), greedy)).rejects.toMatchObject({ code: "ERR_CONTEXT_EXCEEDED" });
    await session.prefill(ids.slice(0, 95));
    const bush = {
      tokens: Int32Array.from({ length: 32 }, (_, i) => (i === 0 ? ids[94]! : i)),
      parents: new Int32Array(32),
    };
    bush.parents[0] = -1;
    expect((await session.verify(bush, greedy)).exact).toBe(2);
    await verifier.dispose();
  });
});

describe("misuse", () => {
  it("of commit", async () => {
    const verifier = await open();
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const commit = async (...path: number[]) => session.commit(Int32Array.from(path));
    await expect(commit(0)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    const tree = { tokens: Int32Array.of(PROMPT.at(-1)!, 1, 2, 3), parents: Int32Array.of(-1, 0, 0, 2) };
    await session.verify(tree, greedy);
    for (const path of [[], [1], [0, 3], [0, 1, 2], [0, 4], [0, -1], [0, 2], [0, 2, 3]])
      await expect(commit(...path)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    expect(session.length).toBe(11);
    await commit(0, 1);
    expect(session.length).toBe(13);
    await expect(commit(0, 1)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    await verifier.dispose();
  });

  it("of a draft, at the same time, and after the end", async () => {
    const verifier = await open();
    const session = await verifier.open();
    await session.prefill(PROMPT);
    await expect(session.verify(chain(1, [64]), greedy)).rejects.toMatchObject({ code: "ERR_DRAFT_INVALID" });
    await expect(session.verify(chain(1, new Int32Array(32)), greedy)).rejects.toMatchObject({
      code: "ERR_DRAFT_INVALID",
    });
    const first = session.verify(chain(1, [2]), greedy);
    await expect(session.verify(chain(1, [2]), greedy)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    expect(() => session.commit(Int32Array.of(0))).toThrow(code("ERR_CONTRACT"));
    expect((await first).count).toBe(2);
    const ending = session.verify(chain(1, [2]), greedy);
    await session.dispose();
    await expect(ending).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await expect(session.prefill(PROMPT)).rejects.toMatchObject({ code: "ERR_CLOSED" });
    const other = await verifier.open();
    await verifier.dispose();
    await expect(other.prefill(PROMPT)).rejects.toMatchObject({ code: "ERR_CLOSED" });
    expect(() => verifier.open()).toThrow(code("ERR_CLOSED"));
  });

  it("two sessions do not disturb each other", async () => {
    const verifier = await open();
    const [a, b] = [await verifier.open(), await verifier.open()];
    await Promise.all([a.prefill(PROMPT), b.prefill(PROMPT.slice(0, 5))]);
    const [x, y] = await Promise.all([
      a.verify(chain(PROMPT[11]!, [4]), full),
      b.verify(chain(PROMPT[4]!, [PROMPT[5]!]), full),
    ]);
    const alone = await verifier.open();
    await alone.prefill(PROMPT.slice(0, 5));
    expect(allLogits(await alone.verify(chain(PROMPT[4]!, [PROMPT[5]!]), full))).toEqual(allLogits(y));
    await alone.prefill(PROMPT);
    expect(allLogits(await alone.verify(chain(PROMPT[11]!, [4]), full))).toEqual(allLogits(x));
    await verifier.dispose();
  });
});

describe("createVerifier", () => {
  const perTensor = {
    ...target,
    graphs: { int8: { chain: "target.per-tensor.chain.onnx", tree: "target.int8.tree.onnx" } },
  };

  it("refuses a graph that is not row-exact, and says the way out", async () => {
    const refused = open({ target: perTensor });
    await expect(refused).rejects.toMatchObject({ code: "ERR_NOT_ROW_EXACT" });
    await expect(refused).rejects.toThrow('exactness: "tolerant"');
    const tolerant = await open({ target: perTensor, exactness: "tolerant" });
    const session = await tolerant.open();
    await session.prefill(PROMPT);
    const tree = { tokens: Int32Array.of(PROMPT.at(-1)!, 1, 2), parents: Int32Array.of(-1, 0, 0) };
    const rows = await session.verify(tree, greedy);
    expect(rows.exact).toBe(3);
    await session.commit(Int32Array.of(0, 2));
    expect(tolerant.exactness).toBe("tolerant");
    await tolerant.dispose();
  });

  it("refuses a tree graph of another checkpoint at the first tree", async () => {
    const verifier = await open({
      target: { ...target, graphs: { int8: { chain: target.graphs.int8!.chain, tree: target.graphs.fp32!.tree } } },
    });
    const session = await verifier.open();
    await session.prefill(PROMPT);
    await session.verify(chain(1, [2]), greedy);
    const tree = { tokens: Int32Array.of(1, 1, 2), parents: Int32Array.of(-1, 0, 0) };
    await expect(session.verify(tree, greedy)).rejects.toMatchObject({ code: "ERR_NOT_ROW_EXACT" });
    expect((await session.verify(chain(1, [2]), greedy)).count).toBe(2);
    await verifier.dispose();
  });

  it("refuses options and files that make no sense", async () => {
    const option = (options: object) => expect(open(options)).rejects.toMatchObject({ code: "ERR_OPTION" });
    await option({ precision: "int4" });
    await option({ exactness: "nearly" });
    await option({ probe: true });
    await option({ prefillChunk: 1 });
    await option({ prefillChunk: Number.NaN });
    await option({ maxNodes: 1 });
    await option({ maxNodes: 127 });
    await option({ threads: -1 });
    await option({ target: { ...target, contextLength: 0 } });
    await expect(open({ resolve: (file) => `${resolve(file)}.gone` })).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
    });
    await expect(open({ target: { ...target, layers: 5 } })).rejects.toMatchObject({ code: "ERR_GRAPH" });
    const vocabulary: Vocabulary = { size: 65, fingerprint: "", piece: () => undefined };
    await expect(open({ vocabulary })).rejects.toMatchObject({ code: "ERR_VOCABULARY_MISMATCH" });
  });

  it("gives room for more nodes where asked, at the cost of context", async () => {
    const verifier = await open({ maxNodes: 64, probe: "off" });
    expect(verifier).toMatchObject({ maxNodes: 64, contextLength: 64 });
    expect(verifier.rowExactness).toBeUndefined();
    const session = await verifier.open();
    await session.prefill(new Int32Array(63).fill(2));
    const bush = { tokens: new Int32Array(64).fill(2), parents: new Int32Array(64).fill(0) };
    bush.parents[0] = -1;
    expect((await session.verify(bush, greedy)).count).toBe(64);
    await verifier.dispose();
  });
});

it("threads chosen by measuring: rows are exact, bit for bit those of one thread, and the tree graph runs on as many", async () => {
  const [one, measured] = [await open(), await open({ threads: "measure" })];
  expect(measured.rowExactness).toMatchObject({ rowExact: true });
  expect((await measured.loadTree()).threads).toBe(measured.chain.threads);
  const [expected, found] = await Promise.all(
    [one, measured].map(async (verifier) => {
      const session = await verifier.open();
      await session.prefill(PROMPT);
      return allLogits(await session.verify(chain(PROMPT.at(-1)!, [3, 1, 4, 1, 5, 9]), full));
    }),
  );
  expect(found).toEqual(expected);
  await one.dispose();
  await measured.dispose();
});
