import { trunkLength, validateTree } from "@diffuspec/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { greedy, outcome, paths, request } from "../../test/fakes.ts";
import { createRecycling, parseTemplate, RECYCLING_TREE_4, RECYCLING_TREE_20, RECYCLING_TREE_80 } from "./index.ts";

const root = (token: number) => ({ tokens: Int32Array.of(token), parents: Int32Array.of(-1) });

async function begun(drafter: ReturnType<typeof createRecycling>, last: number) {
  const session = await drafter.open();
  await session.begin({ ids: Int32Array.of(0, last), sampler: greedy });
  return session;
}

/** Teaches the matrix one row a round, through the session. */
async function teach(session: Awaited<ReturnType<typeof begun>>, rows: Record<number, number[]>, next: number) {
  for (const [token, top] of Object.entries(rows)) await session.observe(outcome(root(Number(token)), [top], [next]));
}

describe("recycling", () => {
  const options = { vocabularySize: 10, topK: 2, template: "·:2 0:2 00:1" };

  it("proposes the root alone until it has seen something", async () => {
    const session = await begun(createRecycling(options), 3);
    expect(Array.from((await session.propose(request())).tree.tokens)).toEqual([3]);
  });

  it("fills the template from the matrix, best path first as the trunk", async () => {
    const session = await begun(createRecycling(options), 1);
    await teach(session, { 1: [2, 3], 2: [4, 5], 4: [6, 7] }, 1);
    const { tree } = await session.propose(request());
    expect(paths(tree)).toEqual(["2", "2 4", "2 4 6", "3", "2 5"]);
    expect(trunkLength(tree)).toBe(4);
  });

  it("skips rows that were never written", async () => {
    const session = await begun(createRecycling(options), 1);
    await teach(session, { 1: [2, 3], 4: [6, 7] }, 1);
    expect(paths((await session.propose(request())).tree)).toEqual(["2", "3"]);
  });

  it("learns every node, rejected ones too, and the last equal token wins", async () => {
    const session = await begun(createRecycling(options), 1);
    const tree = { tokens: Int32Array.of(1, 2, 3, 2), parents: Int32Array.of(-1, 0, 0, 2) };
    // node 1 was accepted, 2 and 3 were not; both 1 and 3 hold token 2
    await session.observe(
      outcome(
        tree,
        [
          [2, 3],
          [8, 9],
          [5, 6],
          [4, 7],
        ],
        [2, 3],
      ),
    );
    expect(paths((await session.propose(request())).tree)).toEqual(["5", "6"]);
    await session.observe(outcome(root(3), [[2, 0]], [3]));
    expect(paths((await session.propose(request())).tree)).toEqual(["2", "2 4", "0", "2 7"]);
  });

  it("shares the matrix between sessions, and reset() forgets it", async () => {
    const drafter = createRecycling(options);
    await teach(await begun(drafter, 1), { 1: [2, 3] }, 1);
    const other = await begun(drafter, 1);
    expect(paths((await other.propose(request())).tree)).toEqual(["2", "3"]);
    drafter.reset();
    expect(paths((await other.propose(request())).tree)).toEqual([]);
  });

  it("merges equal siblings and accepts short rows", async () => {
    const session = await begun(createRecycling(options), 1);
    await teach(session, { 1: [2, 2], 2: [4] }, 1);
    expect(paths((await session.propose(request())).tree)).toEqual(["2", "2 4"]);
  });

  it("begins with the head", async () => {
    const session = await begun(createRecycling(options), 1);
    await teach(session, { 5: [2, 3] }, 1);
    const ask = (fields: object) => session.propose(request({ head: Int32Array.of(9, 5), ...fields }));
    expect(paths((await ask({})).tree)).toEqual(["9", "9 5", "9 5 2", "9 5 3"]);
    expect(paths((await ask({ length: 2 })).tree)).toEqual(["9", "9 5"]);
    expect(paths((await ask({ nodes: 1 })).tree)).toEqual(["9"]);
  });

  it("is a valid tree within every budget", async () => {
    const ids = fc.integer({ min: 0, max: 9 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(ids, { minLength: 8, maxLength: 8 }), { minLength: 10, maxLength: 10 }),
        fc.nat(90),
        fc.integer({ min: 1, max: 8 }),
        fc.array(ids, { maxLength: 3 }),
        async (matrix, nodes, length, head) => {
          const session = await begun(createRecycling({ vocabularySize: 10, template: RECYCLING_TREE_80 }), 1);
          await teach(session, { ...matrix }, 4);
          const { tree } = await session.propose(request({ nodes, length, head: Int32Array.from(head) }));
          validateTree(tree, { root: 4, vocabularySize: 10, maxNodes: nodes + 1 });
          const all = paths(tree);
          expect(new Set(all).size).toBe(all.length);
          for (const path of all) expect(path.split(" ").length).toBeLessThanOrEqual(length);
          if (head.length === 0 && length >= 6) expect(all.length).toBe(Math.min(nodes, 80));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("refuses bad options and ids outside its vocabulary", async () => {
    const bad = [{ vocabularySize: 0 }, { vocabularySize: 10, topK: 11 }, { vocabularySize: 10, k: 8 }];
    for (const options of bad)
      expect(() => createRecycling(options)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    const session = await begun(createRecycling(options), 1);
    expect(() => session.observe(outcome(root(1), [[2, 10]], [1]))).toThrow(
      expect.objectContaining({ code: "ERR_CONTRACT" }),
    );
    expect(() => session.observe(outcome(root(10), [[2, 3]], [1]))).toThrow(
      expect.objectContaining({ code: "ERR_CONTRACT" }),
    );
    await session.dispose();
    expect(() => session.propose(request())).toThrow(expect.objectContaining({ code: "ERR_CLOSED" }));
  });
});

describe("templates", () => {
  const perDepth = (text: string) => {
    const counts: number[] = [];
    for (const depth of parseTemplate(text, 8).depths) counts[depth - 1] = (counts[depth - 1] ?? 0) + 1;
    return counts;
  };

  it("have the published shape", () => {
    expect(perDepth(RECYCLING_TREE_80)).toEqual([8, 21, 25, 15, 8, 3]);
    expect(perDepth(RECYCLING_TREE_20)).toEqual([5, 7, 4, 3, 1]);
    expect(perDepth(RECYCLING_TREE_4)).toEqual([2, 1, 1]);
  });

  it("put parents before children and the trunk's first entry first", () => {
    const { parents, ranks } = parseTemplate(RECYCLING_TREE_80, 8);
    parents.forEach((parent, i) => {
      expect(parent).toBeLessThan(i);
    });
    expect([parents[0], ranks[0]]).toEqual([-1, 0]);
  });

  it.each(["", "0:1", "·:2 2:1", "·:0", "·:9", "·:1 ·:2", "a:1", "·:2;0:1"])("refuse %j", (text) => {
    expect(() => parseTemplate(text, 8)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });
});
