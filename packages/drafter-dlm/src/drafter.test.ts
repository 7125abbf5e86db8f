import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Drafter, isDiffuSpecError, type Outcome } from "@diffuspec/contracts";
import { createArgmaxSearch, createTreeSearch } from "@diffuspec/cps";
import type { TopM } from "@diffuspec/lattice";
import { createCache, createDecoder, rowRange } from "@diffuspec/onnx-decoder";
import { drafterConformance } from "@diffuspec/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { committed, greedy, request, sampling, spySearch } from "../test/fakes.ts";
import { blockBias } from "./block-bias.ts";
import { createDlmDrafter } from "./drafter.ts";
import { createForward } from "./forward.ts";
import type { DlmDrafterOptions, DlmManifest } from "./options.ts";

const fixture = new URL("../../onnx-decoder/test/fixture/", import.meta.url);
const resolve = (file: string) => fileURLToPath(new URL(file, fixture));
const { drafter: manifest, tapped } = JSON.parse(readFileSync(new URL("manifest.json", fixture), "utf8")) as Record<
  "drafter" | "tapped",
  DlmManifest
>;
const search = createArgmaxSearch();
const open: Drafter[] = [];

async function load(options: Partial<DlmDrafterOptions> = {}) {
  const drafter = await createDlmDrafter({ drafter: manifest, resolve, search, threads: 1, ...options });
  open.push(drafter);
  return drafter;
}

afterAll(async () => {
  for (const drafter of open) await drafter.dispose?.();
});

const prompt = (length: number) => Int32Array.from({ length }, (_, i) => 2 + ((i * 37 + 5) % 62));

describe.each(["int8", "fp32"])("the forward over the %s graph", (precision) => {
  test("rows do not depend on how the text came into the cache", async () => {
    const decoder = await createDecoder({ graph: resolve(manifest.graphs[precision]!), shape: manifest, threads: 1 });
    const block = new Int32Array(8).fill(manifest.maskId);
    const none = new Int32Array(0);
    const ids = prompt(40);
    const tables: TopM[] = [];
    for (const cuts of [[40], [20, 40], [2, 19, 21, 40], [2, 39]]) {
      const forward = createForward(decoder);
      let at = 0;
      for (const cut of cuts) {
        await forward.extend(ids.slice(at, cut));
        at = cut;
      }
      tables.push(await forward.draft(ids.slice(at), none, block, rowRange(0, 8)));
      expect(forward.length).toBe(40);
      // and again with an empty rest
      expect(await forward.draft(none, none, block, rowRange(0, 8))).toEqual(tables.at(-1));
      forward.dispose();
    }
    for (const table of tables) {
      expect(table).toEqual(tables[0]);
    }
    await decoder.dispose();
  });

  test("a head fed along is a head committed", async () => {
    const decoder = await createDecoder({ graph: resolve(manifest.graphs[precision]!), shape: manifest, threads: 1 });
    const block = new Int32Array(8).fill(manifest.maskId);
    const ahead = createForward(decoder);
    await ahead.extend(prompt(20).slice(0, 15));
    const a = await ahead.draft(prompt(20).slice(15, 17), prompt(20).slice(17), block, rowRange(0, 8));
    expect(ahead.length).toBe(17);
    const after = createForward(decoder);
    await after.extend(prompt(20));
    const b = await after.draft(new Int32Array(0), new Int32Array(0), block, rowRange(0, 8));
    expect(a).toEqual(b);
    await decoder.dispose();
  });

  test("masks see each other, and committed rows see nothing behind them", async () => {
    const decoder = await createDecoder({ graph: resolve(manifest.graphs[precision]!), shape: manifest, threads: 1 });
    const none = new Int32Array(0);
    const look = async (block: number[]) => {
      const forward = createForward(decoder);
      const cacheBefore = await forward.draft(prompt(12), none, Int32Array.from(block), Int32Array.of(0));
      const masks = new Int32Array(4).fill(manifest.maskId);
      return [cacheBefore, await forward.draft(none, none, masks, rowRange(0, 4))] as const;
    };
    const [plain, later] = await look([1, 1, 1, 1]);
    const [told, laterTold] = await look([1, 1, 1, 33]);
    expect(told.logits).not.toEqual(plain.logits);
    expect(laterTold).toEqual(later);
    await decoder.dispose();
  });
});

test("the bias of a block", () => {
  const seen = Array.from(blockBias(2, 2, 1), (x) => (x === 0 ? 1 : 0));
  expect(seen).toEqual([1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
});

describe("a session over the real graph", () => {
  test("incremental and fresh give the same lattice", async () => {
    const spy = spySearch();
    const drafter = await load({ search: spy.search });
    const a = await drafter.open();
    await a.begin({ ids: prompt(10), sampler: greedy });
    const text = [...prompt(10)];
    for (const more of [[4], [5, 6, 7], [8, 9]]) {
      await a.propose(request());
      await a.observe(committed(...more));
      text.push(...more);
    }
    const old = await a.propose(request());
    const b = await drafter.open();
    await b.begin({ ids: Int32Array.from(text), sampler: greedy });
    expect((await b.propose(request())).tree).toEqual(old.tree);
    const [x, y] = spy.seen.slice(-2);
    expect(x).toEqual(y);
  });

  test("the first candidates are the graph's argmax, never the mask", async () => {
    const drafter = await load();
    const session = await drafter.open();
    await session.begin({ ids: prompt(10), sampler: greedy });
    const { tree } = await session.propose(request({ length: 4 }));
    const decoder = await createDecoder({ graph: resolve(manifest.graphs.int8!), shape: manifest, threads: 1 });
    const pass = await decoder.run(createCache(manifest), {
      ids: Int32Array.of(...prompt(10), ...new Array<number>(8).fill(manifest.maskId)),
      rows: rowRange(10, 18),
      fetch: ["logits"],
      bias: blockBias(10, 8, 0),
    });
    const logits = pass.f32("logits");
    for (let i = 1; i < tree.tokens.length; i++) {
      const row = [...logits.subarray((i - 1) * 64, i * 64)];
      expect(tree.tokens[i]).toBe(row.indexOf(Math.max(...row)));
      expect(tree.tokens[i]).not.toBe(manifest.maskId);
    }
    await decoder.dispose();
  });

  test("an id outside the vocabulary, and a disposed drafter, are told", async () => {
    const drafter = await load();
    const session = await drafter.open();
    await session.begin({ ids: Int32Array.of(3, 64, 3), sampler: greedy });
    await expect(session.propose(request())).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    await drafter.dispose?.();
    await session.begin({ ids: prompt(5), sampler: greedy });
    await expect(session.propose(request())).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });
});

const scorer = {
  name: "flat",
  begin: () => 0,
  advance: () => 0,
  score: (_: unknown, __: unknown, out: Float64Array) => void out.fill(-1),
};
describe.each([
  ["argmax", {}],
  ["tree", { search: createTreeSearch({ scorer }) }],
  ["S = 3", { steps: 3 }],
  ["fp32", { precision: "fp32" }],
  ["taps", { drafter: tapped }],
  ["shift", { drafter: { ...tapped, shift: true } }],
])("conformance: %s", (_, options) => {
  const target = { vocabularySize: 64, tapWidth: tapped.width };
  for (const { name, run } of drafterConformance(() => load(options), target)) test(name, run);
});

describe("taps", () => {
  /** The best logits of a draft behind ten ids of a prompt and three that the target chose. */
  async function drafted(options: Partial<DlmDrafterOptions>, value: number) {
    const spy = spySearch();
    const drafter = await load({ ...options, search: spy.search });
    const session = await drafter.open();
    await session.begin({ ids: prompt(10), sampler: greedy });
    const rows = { tap: (row: number) => Float32Array.from({ length: 32 }, (_, i) => value * Math.sin(row + i)) };
    const outcome = { ...committed(7, 8, 9), path: Int32Array.of(0, 2, 4), rows };
    await session.observe(outcome as unknown as Outcome);
    await session.propose(request());
    return { drafter, drafts: spy.seen[0]!.logProbs };
  }

  test("what the target showed changes the draft, and only where it is wanted", async () => {
    const { drafter, drafts } = await drafted({ drafter: tapped }, 1);
    expect(drafter.needs).toEqual({ taps: [1, "output"], whenIdle: false });
    expect((await drafted({ drafter: tapped }, -1)).drafts).not.toEqual(drafts);
    const blind = await drafted({ drafter: tapped, taps: false }, 1);
    expect(blind.drafter.needs).toEqual({});
    expect(blind.drafts).not.toEqual(drafts);
    expect((await drafted({ drafter: tapped, taps: false }, -1)).drafts).toEqual(blind.drafts);
    expect((await drafted({}, 1)).drafter.needs).toEqual({});
  });

  test("a target of another width is told", async () => {
    const session = await (await load({ drafter: tapped })).open();
    await session.begin({ ids: prompt(10), sampler: greedy });
    const outcome = { ...committed(7), path: Int32Array.of(0), rows: { tap: () => new Float32Array(16) } };
    expect(() => session.observe(outcome as unknown as Outcome)).toThrow("16 wide");
  });

  test("a manifest that names other taps than the graph reads is refused", async () => {
    for (const taps of [undefined, ["output"], [0, 1, "output"]])
      await expect(load({ drafter: { ...tapped, taps } as DlmManifest })).rejects.toMatchObject({ code: "ERR_GRAPH" });
  });
});

test("sampling drafts differ from greedy ones", async () => {
  const session = await (await load()).open();
  const trees = [];
  for (const sampler of [greedy, sampling(1)]) {
    await session.begin({ ids: prompt(10), sampler });
    trees.push((await session.propose(request())).tree);
  }
  expect(trees[0]).not.toEqual(trees[1]);
});

describe("bad input", () => {
  test.each([
    ["steps", { steps: 0 }],
    ["steps", { steps: 1.5 }],
    ["minMasks", { minMasks: 17 }],
    ["maxLength", { maxLength: 17 }],
    ["promptWindow", { promptWindow: 0 }],
    ["coupling", { coupling: Number.NaN }],
    ["maxCandidates", { lattice: { maxCandidates: 9 } }],
    ["tau", { lattice: { tau: 0 } }],
    ["temperatures", { lattice: { temperatures: [0] } }],
    ["precision", { precision: "int4" }],
    ["precision", { precision: "toString" }],
    ["search", { search: {} }],
    ["resolve", { resolve: "dir" }],
    ["taps", { taps: 1 }],
    ["drafter.taps", { drafter: { ...manifest, taps: ["last"] } }],
    ["setps", { setps: 2 }],
    ["drafter", { drafter: null }],
    ["drafter.shift", { drafter: { ...manifest, shift: 1 } }],
    ["drafter.maskId", { drafter: { ...manifest, maskId: 64 } }],
    ["drafter.contextLength", { drafter: { ...manifest, contextLength: 129 } }],
    ["drafter.top", { drafter: { ...manifest, top: undefined } }],
    ["drafter.graphs", { drafter: { ...manifest, graphs: undefined } }],
    ["eosIds", { eosIds: [1] }],
  ])("%s is refused by name", async (name, options) => {
    const error = await load(options as never).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(isDiffuSpecError(error) && error.code).toBe("ERR_OPTION");
    expect((error as Error).message).toContain(name);
  });

  test.each([
    ["a file that is not there", { graphs: { int8: "none.onnx" } }, "ERR_MODEL_FILE_MISSING"],
    ["another shape", { layers: 2 }, "ERR_GRAPH"],
    ["a table of another width", { top: 7 }, undefined],
  ])("%s", async (_, change, code) => {
    const made = load({ drafter: { ...manifest, ...change } as DlmManifest, lattice: { maxCandidates: 5 } });
    if (code !== undefined) return expect(made).rejects.toMatchObject({ code });
    const session = await (await made).open();
    await session.begin({ ids: prompt(5), sampler: greedy });
    await expect(session.propose(request())).rejects.toMatchObject({ code: "ERR_CONTRACT" });
  });

  test("the target's graph is no drafter's", async () => {
    const target = JSON.parse(readFileSync(new URL("manifest.json", fixture), "utf8")).target;
    const entry = { ...manifest, ...target, graphs: { int8: target.graphs.int8.tree } };
    await expect(load({ drafter: entry })).rejects.toMatchObject({ code: "ERR_GRAPH" });
  });
});
