import { argmax, isDiffuSpecError } from "@diffuspec/contracts";
import { createArgmaxSearch } from "@diffuspec/cps";
import { createFakeVocabulary } from "@diffuspec/testkit";
import { describe, expect, expectTypeOf, test } from "vitest";
import { at, golden, KNOWN, load, MASK } from "../test/canvas-fixture.ts";
import { committed, greedy, request, sampling, spySearch } from "../test/fakes.ts";
import { blocksBias, createCanvasForward } from "./canvas-forward.ts";
import { CANVAS_PRESETS, type CanvasDrafterOptions, type CanvasModel } from "./index.ts";

/** What the search is given for five masks behind the known ids. */
async function lattice(graph: string, options: Partial<CanvasDrafterOptions> = {}, ids = KNOWN, sampler = greedy) {
  const spy = spySearch();
  const all = { tau: 1, maxCandidates: 8 };
  const drafter = await load(graph, { search: spy.search, ...options, lattice: { ...all, ...options.lattice } });
  const session = await drafter.open();
  await session.begin({ ids, sampler });
  await session.propose(request({ length: 5, nodes: 5 }));
  await session.dispose();
  const { tokens, logProbs, offsets } = spy.seen[0]!;
  const position = (i: number) => ({
    tokens: tokens.slice(offsets[i], offsets[i + 1]),
    logProbs: logProbs.slice(offsets[i], offsets[i + 1]),
  });
  return { ...spy.seen[0]!, position };
}

/** ln softmax of a row over the ids that `keep` keeps. */
function logSoftmax(row: readonly number[], keep: (id: number) => boolean, temperature = 1): number[] {
  const scaled = row.map((value, id) => (keep(id) ? value / temperature : Number.NEGATIVE_INFINITY));
  const most = Math.max(...scaled);
  const total = most + Math.log(scaled.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return scaled.map((value) => value - total);
}
const best = (row: readonly number[]) =>
  [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b).filter((id) => row[id]! > Number.NEGATIVE_INFINITY);

function expectRow(found: { tokens: number[]; logProbs: number[] }, expected: readonly number[], digits = 4) {
  expect(found.tokens).toEqual(best(expected).slice(0, found.tokens.length));
  for (const [i, id] of found.tokens.entries()) expect(found.logProbs[i]).toBeCloseTo(expected[id]!, digits);
}

describe("the lattice is the model's own", () => {
  test.each([
    ["model", {}],
    ["model_ones", {}],
    ["model_additive", {}],
    ["model_shifted", { shift: 1 }],
  ] as const)("%s %o: the fourth of five masks has the reference's row", async (graph, options) => {
    expectRow(
      (await lattice(graph, options)).position(3),
      logSoftmax(golden.full, (id) => id !== MASK),
    );
  });

  test("shifted and unshifted exports of one model give one lattice", async () => {
    const plain = await lattice("model");
    const shifted = await lattice("model_shifted", { shift: 1 });
    expect(shifted.tokens).toEqual(plain.tokens);
    expect(shifted.logProbs).toEqual(plain.logProbs);
    expect((await lattice("model_shifted")).tokens).not.toEqual(plain.tokens);
  });

  test("half precision", async () => {
    expectRow(
      (await lattice("model_additive_fp16")).position(3),
      logSoftmax(golden.full, (id) => id !== MASK),
      1,
    );
  });

  test("block diffusion: attention by blocks counted from the end", async () => {
    // With a shift of 1 the first mask's row is the last known id's, of which the reference has the numbers.
    const flat = { shift: 1, temperature: 10 } as const; // else one candidate has all the mass
    const blocks = await lattice("model_additive", { ...flat, blockSize: golden.blockSize, maxLength: 5 });
    expect(blocks.position(0).tokens).toHaveLength(8);
    expectRow(
      blocks.position(0),
      logSoftmax(golden.block, (id) => id !== MASK, 10),
    );
    expect((await lattice("model_additive", flat)).position(0).logProbs).not.toEqual(blocks.position(0).logProbs);
    expect(Array.from(blocksBias(5, 2), (x) => (x < 0 ? 0 : 1))).toEqual(
      [
        [1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
      ].flat(),
    );
  });

  test("temperature", async () => {
    const row = logSoftmax(golden.full, (id) => id !== MASK, 2.5);
    expectRow((await lattice("model", { temperature: 2.5 })).position(3), row);
  });

  test("a window of the vocabulary: the softmax runs over what both know", async () => {
    const window = { targetVocabularySize: 40 };
    const { tokens, position } = await lattice("model", { lattice: window });
    expect(Math.max(...tokens)).toBeLessThan(40);
    expectRow(
      position(3),
      logSoftmax(golden.full, (id) => id < 40),
    );
    const vocabulary = createFakeVocabulary(Array.from({ length: 66 }, (_, i) => `p${i}`));
    expectRow(
      (await lattice("model", { vocabulary })).position(3),
      logSoftmax(golden.full, (id) => id !== MASK && id < 66),
    );
    // Fewer candidates than the lattice would take: what is left is all there is.
    expect((await lattice("model", { lattice: { targetVocabularySize: 3 } })).position(1).tokens).toHaveLength(3);
  });

  test("sampling drafts follow the noise", async () => {
    const calm = await lattice("model", { coupling: 0 }, KNOWN, sampling(1));
    const noisy = await lattice("model", { coupling: 2 }, KNOWN, sampling(1));
    expect(noisy.tokens).not.toEqual(calm.tokens);
    expect(argmax(calm.position(0).logProbs)).toBe(0);
  });
});

describe("what the model reads", () => {
  test("the last `window` ids", async () => {
    const long = Int32Array.of(...Array.from({ length: 50 }, (_, i) => 2 + (i % 50)), ...KNOWN);
    const short = await lattice("model", { window: 9 }, long);
    expect(short.logProbs).toEqual((await lattice("model")).logProbs);
    expect(short.context).toEqual([...long]);
    expect((await lattice("model", { window: 10 }, long)).logProbs).not.toEqual(short.logProbs);
  });

  test("ids it does not know, or knows as something else, as masks", async () => {
    const unknown = Int32Array.from(KNOWN, (id, i) => (i === 4 ? 5000 : id));
    const masked = Int32Array.from(KNOWN, (id, i) => (i === 4 ? MASK : id));
    const expected = (await lattice("model", {}, masked)).logProbs;
    expect((await lattice("model", {}, unknown)).logProbs).toEqual(expected);
    const foreign = await lattice("model", { foreignIds: [KNOWN[4]!] });
    expect(foreign.tokens).not.toContain(KNOWN[4]);
    const told = await lattice("model", {}, KNOWN);
    expect(told.logProbs).not.toEqual(foreign.logProbs);
  });

  test("observed ids as if the text had begun with them", async () => {
    const spies = [spySearch(), spySearch()];
    const [a, b] = await Promise.all(spies.map(async ({ search }) => (await load("model", { search })).open()));
    await a!.begin({ ids: KNOWN, sampler: greedy });
    for (const more of [[4], [5, 6, 70], [8]]) {
      await a!.propose(request());
      await a!.observe(committed(...more));
    }
    const old = await a!.propose(request());
    await b!.begin({ ids: Int32Array.of(...KNOWN, 4, 5, 6, 70, 8), sampler: greedy });
    expect((await b!.propose(request())).tree).toEqual(old.tree);
    expect(spies[0]!.seen.at(-1)).toEqual(spies[1]!.seen.at(-1));
  });

  test("a head as if it were committed", async () => {
    const session = await (await load("model")).open();
    await session.begin({ ids: KNOWN, sampler: greedy });
    const ahead = await session.propose(request({ head: Int32Array.of(8, 9), length: 6 }));
    await session.observe(committed(8, 9));
    const after = await session.propose(request({ length: 4 }));
    expect([...ahead.tree.tokens.subarray(2)]).toEqual([...after.tree.tokens]);
  });

  test("no negative id", async () => {
    const session = await (await load("model")).open();
    await session.begin({ ids: Int32Array.of(1, -1, 3), sampler: greedy });
    await expect(session.propose(request())).rejects.toMatchObject({ code: "ERR_CONTRACT" });
  });
});

test("refinement reveals and looks again", async () => {
  const calls: number[][] = [];
  const forward = createCanvasForward({
    canvas: {
      mask: "none",
      vocabularySize: 8,
      async run(ids) {
        calls.push([...ids]);
        const logits = (row: number) =>
          Float32Array.from({ length: 8 }, (_, id) => (id === (row % 6) + 1 ? 3 + row : 0));
        return { rowCount: ids.length, logits };
      },
    },
    ...{ maskId: 7, window: 4, shift: 0, top: 4, candidates: 8, struckIds: [7], foreignIds: [] },
    ...{ temperature: 1, blockSize: undefined },
  });
  await forward.extend(Int32Array.of(1, 2, 3, 4, 5));
  const table = await forward.draft(Int32Array.of(6), new Int32Array(0), Int32Array.of(7, 2, 7), Int32Array.of(0, 2));
  expect(calls).toEqual([[3, 4, 5, 6, 7, 2, 7]]);
  expect([table.ids[0], table.ids[4]]).toEqual([5, 1]);
  expect(forward.length).toBe(6);
  forward.truncate(2);
  expect(forward.length).toBe(2);
});

describe("bad input", () => {
  test.each([
    ["steps", { steps: 0 }],
    ["shift", { shift: 2 }],
    ["shift", { shift: true }],
    ["window", { window: 0 }],
    ["maxLength", { maxLength: 1024 }],
    ["minMasks", { minMasks: 0 }],
    ["temperature", { temperature: 0 }],
    ["coupling", { coupling: -1 }],
    ["maskId", { maskId: 72 }],
    ["maskId", { maskId: undefined }],
    ["eosIds", { eosIds: undefined }],
    ["eosIds", { eosIds: [MASK] }],
    ["foreignIds", { foreignIds: [-1] }],
    ["blockSize", { blockSize: 8 }],
    ["graph", { graph: "" }],
    ["search", { search: {} }],
    ["windows", { windows: 3 }],
    ["nothing to draft", { lattice: { targetVocabularySize: 1 }, eosIds: [], foreignIds: [0] }],
  ])("%s is refused by name", async (name, options) => {
    const error = await load("model", options as never).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(isDiffuSpecError(error) && error.code).toBe("ERR_OPTION");
    expect((error as Error).message).toContain(name);
  });

  test("the graph of a decoder is no canvas", async () => {
    const decoder = load("model", { graph: at("target/onnx/model_q4.onnx") });
    await expect(decoder).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(load("model", { vocabularySize: 73 })).rejects.toMatchObject({ code: "ERR_GRAPH" });
  });
});

test("presets are models, and options take them as they are", () => {
  expectTypeOf(CANVAS_PRESETS).toExtend<Record<string, CanvasModel>>();
  const dream = { ...CANVAS_PRESETS["dream-7b"], graph: "dream.onnx", search: createArgmaxSearch() };
  expectTypeOf(dream).toExtend<CanvasDrafterOptions>();
  expect(dream).toMatchObject({ maskId: 151666, shift: 1, vocabularySize: 152064 });
  for (const preset of Object.values<CanvasModel>(CANVAS_PRESETS)) {
    expect(preset.maskId).toBeLessThan(preset.vocabularySize!);
    for (const id of preset.eosIds) expect(id).not.toBe(preset.maskId);
  }
});
