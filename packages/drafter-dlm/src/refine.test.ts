import { validateTree } from "@diffuspec/contracts";
import type { TopM } from "@diffuspec/lattice";
import { describe, expect, test } from "vitest";
import { createFakeForward, greedy, MANIFEST, openFake, request, text } from "../test/fakes.ts";
import { refine } from "./refine.ts";

const common = { head: new Int32Array(0), masks: 10, maskId: 1, top: MANIFEST.top, check: () => {} };

describe("refine", () => {
  test("one step is the single pass", async () => {
    const block = new Int32Array(10).fill(1);
    const rows = Int32Array.from(block, (_, i) => i);
    const pass = await createFakeForward().draft(text(7), new Int32Array(0), block, rows);
    expect(await refine(createFakeForward(), { ...common, fresh: text(7), steps: 1 })).toEqual(pass);
  });

  test("each step reveals the most confident share by its argmax and feeds nothing twice", async () => {
    const forward = createFakeForward();
    await refine(forward, { ...common, fresh: text(7), head: Int32Array.of(4), steps: 3 });
    expect(forward.calls.map((call) => call.rows.length)).toEqual([10, 6, 2]);
    expect(forward.calls.map((call) => call.fresh.length)).toEqual([7, 0, 0]);
    expect(forward.calls.every((call) => call.head.join() === "4" && call.block.length === 10)).toBe(true);

    const first = await createFakeForward().draft(
      text(7),
      Int32Array.of(4),
      new Int32Array(10).fill(1),
      Int32Array.from({ length: 10 }, (_, i) => i),
    );
    const sure = (i: number) => first.logits[i * MANIFEST.top]! - first.logSumExp[i]!;
    const order = [...first.logSumExp.keys()].sort((a, b) => sure(b) - sure(a) || a - b);
    const shown = forward.calls[1]!.block.map((id, i) => [id, i] as const).filter(([id]) => id !== 1);
    expect(new Set(shown.map(([, i]) => i))).toEqual(new Set(order.slice(0, 4)));
    for (const [id, i] of shown) expect(id).toBe(first.ids[i * MANIFEST.top]);
    // what was revealed stays as it was, and is no longer looked at
    for (const [id, i] of shown) {
      expect(forward.calls[2]!.block[i]).toBe(id);
      expect(forward.calls[2]!.rows).not.toContain(i);
    }
  });

  test("a position keeps the row of the last pass it was a mask in", async () => {
    const forward = createFakeForward();
    const passes: TopM[] = [];
    const draft = forward.draft;
    forward.draft = async (...args) => {
      const table = await draft(...args);
      passes.push({ ids: table.ids.slice(), logits: table.logits.slice(), logSumExp: table.logSumExp.slice() });
      return table;
    };
    const table = await refine(forward, { ...common, fresh: text(7), steps: 4 });
    for (let i = 0; i < 10; i++) {
      const last = forward.calls.findLastIndex((call) => call.rows.includes(i));
      expect(table.logSumExp[i]).toBe(passes[last]!.logSumExp[forward.calls[last]!.rows.indexOf(i)]);
    }
  });

  test("more steps than masks: one pass a mask", async () => {
    const forward = createFakeForward();
    await refine(forward, { ...common, masks: 3, fresh: text(7), steps: 64 });
    expect(forward.calls.length).toBe(3);
  });

  test.each([1, 2, 3, 4])("S = %i gives a valid draft and leaves the same cache", async (steps) => {
    const { session, forward } = openFake({ steps });
    await session.begin({ ids: text(20), sampler: greedy });
    const { tree } = await session.propose(request({ length: 12, nodes: 12, head: Int32Array.of(5) }));
    validateTree(tree, { root: text(20)[19]!, vocabularySize: MANIFEST.vocabularySize, maxNodes: 13 });
    expect(tree.tokens.length).toBeGreaterThan(2);
    expect(forward.cache).toEqual([...text(20)]);
  });

  test.each([
    ["NaN among the logits", ({ logits }: TopM) => logits.fill(Number.NaN, 3, 4)],
    ["NaN in front", ({ logits }: TopM) => logits.fill(Number.NaN, 0, 1)],
    ["NaN as ln sum exp", ({ logSumExp }: TopM) => logSumExp.fill(Number.NaN, 2, 3)],
    ["an infinite logit", ({ logits }: TopM) => logits.fill(Number.POSITIVE_INFINITY, 0, 1)],
    ["rows that are not best first", ({ logits }: TopM) => logits.fill(logits[0]! + 1, 1, 2)],
  ])("%s is ERR_CONTRACT in every step", async (_, spoil) => {
    for (const spoilt of [1, 2]) {
      const forward = createFakeForward();
      const draft = forward.draft;
      forward.draft = async (...args) => {
        const table = await draft(...args);
        if (forward.calls.length === spoilt) spoil(table);
        return table;
      };
      const run = refine(forward, { ...common, fresh: text(7), steps: 3 });
      await expect(run).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    }
  });

  test("a table of another size is ERR_CONTRACT", async () => {
    const run = refine(createFakeForward({ ...MANIFEST, top: 4 }), { ...common, fresh: text(7), steps: 1 });
    await expect(run).rejects.toMatchObject({ code: "ERR_CONTRACT" });
  });
});
