import { chain, depths, type PathSearch, validateTree } from "@diffuspec/contracts";
import { createTreeSearch } from "@diffuspec/cps";
import { describe, expect, test } from "vitest";
import { committed, greedy, LATTICE, MANIFEST, openFake, request, spySearch, text } from "../test/fakes.ts";
import { CHUNK } from "./session.ts";

const ids = (tree: { tokens: Int32Array }) => [...tree.tokens];

describe("the cache", () => {
  test("a session that observed drafts as one that began with the same text", async () => {
    const prompt = text(20);
    const old = spySearch();
    const fresh = spySearch();
    const a = openFake({ search: old.search });
    await a.session.begin({ ids: prompt, sampler: greedy });
    const grown = [...prompt];
    for (const more of [[5], [9, 12, 3], [7, 7]]) {
      await a.session.propose(request());
      await a.session.observe(committed(...more));
      grown.push(...more);
    }
    const b = openFake({ search: fresh.search });
    await b.session.begin({ ids: Int32Array.from(grown), sampler: greedy });
    expect((await a.session.propose(request())).tree).toEqual((await b.session.propose(request())).tree);
    expect(old.seen.at(-1)).toEqual(fresh.seen.at(-1));
    expect(a.forward.cache).toEqual(grown);
  });

  test("a round feeds only what was committed since, and masks are never cached", async () => {
    const { session, forward } = openFake();
    await session.begin({ ids: text(20), sampler: greedy });
    expect(forward.calls).toEqual([]);
    await session.propose(request());
    expect(forward.cache).toEqual([...text(20)]);
    await session.observe(committed(5, 6, 7));
    await session.propose(request());
    expect(forward.calls.at(-1)).toMatchObject({ cached: 20, fresh: [5, 6, 7], block: new Array(8).fill(1) });
    expect(forward.length).toBe(23);
  });

  test("a proposal nobody observed changes nothing", async () => {
    const { session } = openFake();
    await session.begin({ ids: text(12), sampler: greedy });
    expect((await session.propose(request())).tree).toEqual((await session.propose(request())).tree);
  });

  test.each([2, CHUNK, CHUNK + 1, 2 * CHUNK + 1, 200])("a prompt of %i is fed in even pieces of 2 to 64", async (n) => {
    const { session, forward } = openFake();
    await session.begin({ ids: text(n), sampler: greedy });
    await session.propose(request());
    const sizes = forward.calls.map((call) => call.fresh.length);
    expect(sizes.reduce((a, b) => a + b)).toBe(n);
    expect(sizes.length).toBe(Math.ceil(n / CHUNK));
    for (const size of sizes) expect(size).toBeGreaterThanOrEqual(2);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(CHUNK);
  });

  test("the next generation feeds only what it does not share with the last", async () => {
    const { session, forward } = openFake();
    await session.begin({ ids: text(50), sampler: greedy });
    await session.propose(request());
    await session.observe(committed(3, 4));
    await session.propose(request());
    forward.calls.length = 0;
    const next = Int32Array.of(...text(50).subarray(0, 30), 9, 9, 9, 9);
    next[30] = (text(50)[30]! % 30) + 3;
    await session.begin({ ids: next, sampler: greedy });
    const { tree } = await session.propose(request());
    expect(forward.calls).toMatchObject([{ kind: "draft", cached: 30, fresh: [...next.subarray(30)] }]);
    const again = openFake();
    await again.session.begin({ ids: next, sampler: greedy });
    expect(tree).toEqual((await again.session.propose(request())).tree);
  });

  test("a text that is a beginning of the last one is not read again", async () => {
    const { session, forward } = openFake();
    await session.begin({ ids: text(50), sampler: greedy });
    await session.propose(request());
    forward.calls.length = 0;
    await session.begin({ ids: text(50).slice(0, 20), sampler: greedy });
    await session.propose(request());
    expect(forward.calls).toMatchObject([{ kind: "draft", cached: 20, fresh: [] }]);
  });

  test("of a long prompt only the window is read, and the draft is that of the window alone", async () => {
    const { session, forward } = openFake({ promptWindow: 12 });
    await session.begin({ ids: text(50), sampler: greedy });
    await session.propose(request());
    expect(forward.calls).toMatchObject([{ kind: "draft", cached: 0, fresh: [...text(50).subarray(38)] }]);
    await session.observe(committed(5, 6));
    const later = await session.propose(request());
    expect(forward.cache).toEqual([...text(50).subarray(38), 5, 6]);
    const alone = openFake();
    await alone.session.begin({ ids: Int32Array.of(...text(50).subarray(38), 5, 6), sampler: greedy });
    expect(later.tree).toEqual((await alone.session.propose(request())).tree);
  });

  test("a window goes on where little was added, and moves where much was or its text changed", async () => {
    const { session, forward } = openFake({ promptWindow: 12 });
    const first = text(50);
    await session.begin({ ids: first, sampler: greedy });
    await session.propose(request());
    const next = Int32Array.of(...first, 7, 8, 9);
    await session.begin({ ids: next, sampler: greedy });
    await session.propose(request());
    expect(forward.calls.at(-1)).toMatchObject({ cached: 12, fresh: [7, 8, 9] });
    const long = Int32Array.of(...next, ...text(20));
    await session.begin({ ids: long, sampler: greedy });
    await session.propose(request());
    expect(forward.calls.at(-1)).toMatchObject({ cached: 0, fresh: [...long.subarray(-12)] });
    const other = Int32Array.from(long, (id, i) => (i === 0 ? id : (id % 30) + 4));
    await session.begin({ ids: other, sampler: greedy });
    await session.propose(request());
    expect(forward.calls.at(-1)).toMatchObject({ cached: 0, fresh: [...other.subarray(-12)] });
  });
});

describe("the head", () => {
  test("comes first in the draft, is seen by the block, and is not cached", async () => {
    const spy = spySearch();
    const { session, forward } = openFake({ search: spy.search });
    await session.begin({ ids: text(20), sampler: greedy });
    const head = Int32Array.of(8, 9);
    const { tree, generatedLength } = await session.propose(request({ head, length: 6, nodes: 10 }));
    expect(ids(tree).slice(0, 3)).toEqual([text(20)[19], 8, 9]);
    expect(Math.max(...depths(tree))).toBe(6);
    expect(generatedLength).toBe(6);
    expect(spy.seen[0]!.context).toEqual([...text(20), 8, 9]);
    expect(spy.seen[0]).toMatchObject({ nodes: 8, length: 4 });
    expect(forward.cache).toEqual([...text(20)]);
  });

  test("gives the draft that committing it would have given", async () => {
    const a = openFake();
    await a.session.begin({ ids: text(20), sampler: greedy });
    const ahead = await a.session.propose(request({ head: Int32Array.of(8, 9), length: 6 }));
    await a.session.observe(committed(8, 9));
    const after = await a.session.propose(request({ length: 4 }));
    expect(ids(ahead.tree).slice(2)).toEqual(ids(after.tree));
  });

  test("fits in front of a tree", async () => {
    const scorer = {
      name: "flat",
      begin: () => 0,
      advance: () => 0,
      score: (_s: unknown, _c: unknown, out: Float64Array) => void out.fill(-1),
    };
    const { session } = openFake({ search: createTreeSearch({ scorer }) });
    await session.begin({ ids: text(20), sampler: greedy });
    const { tree } = await session.propose(request({ head: Int32Array.of(8), length: 5, nodes: 20 }));
    validateTree(tree, { root: text(20)[19]!, vocabularySize: MANIFEST.vocabularySize, maxNodes: 21 });
    expect(tree.tokens.length).toBeGreaterThan(6);
    expect([tree.tokens[1], tree.parents[1]]).toEqual([8, 0]);
    expect([...tree.parents].filter((parent) => parent === 0)).toEqual([0]);
  });

  test.each([
    [2, 9],
    [9, 2],
  ])("alone fills a request of %i tokens in %i nodes: no pass is run", async (length, nodes) => {
    const { session, forward } = openFake();
    await session.begin({ ids: text(20), sampler: greedy });
    forward.calls.length = 0;
    const { tree } = await session.propose(request({ length, nodes, head: Int32Array.of(8, 9, 10) }));
    expect(ids(tree).slice(1)).toEqual([8, 9]);
    expect(forward.calls).toEqual([]);
  });
});

describe("limits", () => {
  test("length, nodes, maxLength and maxMasks are kept", async () => {
    for (const [length, nodes, maxLength, deep] of [
      [1, 1, 16, 1],
      [5, 3, 16, 3],
      [12, 40, 4, 4],
      [40, 40, 16, 16],
    ] as const) {
      const { session, forward } = openFake({ maxLength, lattice: { ...LATTICE, eosIds: [] } });
      await session.begin({ ids: text(20), sampler: greedy });
      const { tree } = await session.propose(request({ length, nodes }));
      expect(Math.max(...depths(tree))).toBe(deep);
      expect(forward.calls.at(-1)!.block.length).toBe(Math.max(8, deep));
    }
  });

  test("near the end of the context the block shrinks, at the end the root stands alone", async () => {
    const manifest = { ...MANIFEST, contextLength: 24 };
    const { session, forward } = openFake({ manifest, lattice: { ...LATTICE, eosIds: [] } });
    await session.begin({ ids: text(20), sampler: greedy });
    for (const room of [4, 3, 2, 1, 0]) {
      const { tree } = await session.propose(request());
      expect(tree.tokens.length - 1).toBe(room);
      if (room > 0) expect(forward.calls.at(-1)!.block.length).toBe(room);
      await session.observe(committed(5));
    }
    await session.observe(committed(5, 5, 5));
    expect((await session.propose(request({ head: Int32Array.of(8) }))).tree.tokens).toEqual(Int32Array.of(5, 8));
  });

  test("head and block share what is left of the context", async () => {
    const manifest = { ...MANIFEST, contextLength: 24 };
    const { session, forward } = openFake({ manifest, lattice: { ...LATTICE, eosIds: [] } });
    await session.begin({ ids: text(20), sampler: greedy });
    const { tree } = await session.propose(request({ head: Int32Array.of(8, 9) }));
    expect(tree.tokens.length - 1).toBe(4);
    expect(forward.calls.at(-1)!.block.length).toBe(2);
  });

  test("a prompt beyond the drafter's context costs no pass", async () => {
    const { session, forward } = openFake({ manifest: { ...MANIFEST, contextLength: 24 } });
    await session.begin({ ids: text(100), sampler: greedy });
    expect((await session.propose(request())).tree.tokens.length).toBe(1);
    expect(forward.calls).toEqual([]);
  });

  test("generatedLength counts the tokens before the first EOS", async () => {
    const { session } = openFake({ lattice: { ...LATTICE, eosIds: [], stopAt: "argmax" } });
    await session.begin({ ids: text(20), sampler: greedy });
    const path = ids((await session.propose(request())).tree).slice(1);
    const third = path.findIndex((id, i) => i >= 2 && path.indexOf(id) === i);
    const other = openFake({ lattice: { ...LATTICE, eosIds: [path[third]!] } });
    await other.session.begin({ ids: text(20), sampler: greedy });
    expect((await other.session.propose(request())).generatedLength).toBe(third);
  });

  test("a search may go on behind the lattice, as far as was asked, and then says itself how long the text is", async () => {
    const search: PathSearch = {
      name: "goes on",
      search: ({ lattice, context, length }) => ({
        tree: chain(context[context.length - 1]!, Array(length! - 1).fill(7)),
        score: 0,
        generatedLength: lattice.depth + 3,
      }),
    };
    const { session } = openFake({ search, maxLength: 2 });
    await session.begin({ ids: text(20), sampler: greedy });
    const { tree, generatedLength } = await session.propose(request({ length: 9, nodes: 20, head: Int32Array.of(8) }));
    expect(ids(tree).slice(1)).toEqual([8, 7, 7, 7, 7, 7, 7, 7]);
    expect(generatedLength).toBe(6);
  });
});
