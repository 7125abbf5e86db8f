import { argmax, CONTRACT_VERSION, chain, trunkLength } from "@diffuspec/contracts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { open, randomInts, randomTree } from "../test/fixture-model.ts";
import { allLogits, code, full, greedy, PROMPT } from "../test/requests.ts";
import type { OnnxVerifier } from "./index.ts";

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
