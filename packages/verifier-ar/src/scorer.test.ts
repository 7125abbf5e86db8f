import { createCache, createDecoder, type Decoder, type PassRequest, rowRange } from "@diffuspec/onnx-decoder";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomInts, resolve, target } from "../test/fixture-model.ts";
import { createModelScorer, type ModelScorer, type ModelState } from "./index.ts";

const open = (file: string) => createDecoder({ graph: resolve(file), shape: target, threads: 1, label: file });
const code = (expected: string) => expect.objectContaining({ code: expected });

/** ln p of every id after these, by a pass of the chain graph over nothing but them. */
async function plain(chain: Decoder, ids: readonly number[]): Promise<number[]> {
  const last = Int32Array.of(ids.length - 1);
  const pass = await chain.run(createCache(target), { ids: Int32Array.from(ids), rows: last, fetch: ["logits"] });
  const logits = [...pass.f32("logits")];
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - total);
}

/** The decoder, with what every pass of it was fed. */
function watched(decoder: Decoder): Decoder & { readonly fed: number[] } {
  const fed: number[] = [];
  const run = (cache: Parameters<Decoder["run"]>[0], request: PassRequest) => {
    fed.push(request.ids.length);
    return decoder.run(cache, request);
  };
  return { ...decoder, run, fed };
}

describe.each(["int8", "fp32"] as const)("a model as scorer, %s", (precision) => {
  const candidates = Int32Array.from({ length: 64 }, (_, i) => i);
  let [chain, tree] = [] as unknown as [Decoder, Decoder];
  beforeAll(async () => {
    const files = target.graphs[precision]!;
    [chain, tree] = [await open(files.chain), await open(files.tree)];
  });
  afterAll(async () => {
    await chain.dispose();
    await tree.dispose();
  });

  async function furthest(scorer: ModelScorer, states: readonly ModelState[]): Promise<number> {
    const out = new Float64Array(states.length * candidates.length);
    await scorer.score(states, candidates, out);
    let most = 0;
    for (const [s, { text, path }] of states.entries()) {
      const expected = await plain(chain, [...text, ...path]);
      for (const [c, logProb] of expected.entries())
        most = Math.max(most, Math.abs(logProb - out[s * candidates.length + c]!));
    }
    return most;
  }

  it("scores equal a plain run over the same ids, along growing paths and texts", async () => {
    const random = randomInts(7);
    const ids = (count: number) => Int32Array.from({ length: count }, () => random(64));
    const scorer = createModelScorer({ decoder: tree, prefillChunk: 16 });
    let text = ids(1);
    for (let round = 0; round < 6; round++) {
      let live = [scorer.begin(text)];
      for (let position = 0; position < 5; position++) {
        expect(await furthest(scorer, live), `round ${round}, position ${position}`).toBeLessThan(1e-4);
        live = Array.from({ length: 3 }, () => scorer.advance(live[random(live.length)]!, random(64)));
      }
      text = Int32Array.of(...text.subarray(0, round === 3 ? 2 : text.length), ...ids(1 + random(20)));
    }
    scorer.dispose();
  });

  it("any states, in any order: of other texts, of none that was asked before, twice the same", async () => {
    const scorer = createModelScorer({ decoder: tree });
    const at = (text: number[], ...path: number[]) =>
      path.reduce((state, token) => scorer.advance(state, token), scorer.begin(Int32Array.from(text)));
    const mixed = [at([5, 9, 33], 7, 7, 1), at([8]), at([5, 9, 33], 7), at([5, 9, 33], 7, 7, 1), at([5, 9], 4)];
    expect(await furthest(scorer, mixed)).toBeLessThan(1e-4);
    expect(await furthest(scorer, mixed)).toBeLessThan(1e-4);
    const copies = structuredClone(mixed.slice(0, 3));
    expect(Math.max(...(await Promise.all([mixed, copies].map((states) => furthest(scorer, states)))))).toBeLessThan(
      1e-4,
    );
    scorer.dispose();
  });

  it("where the branches of a text no longer fit, they are computed anew", async () => {
    const decoder = watched(tree);
    const scorer = createModelScorer({ decoder });
    const text = Int32Array.from({ length: 90 }, (_, i) => i % 64);
    const start = scorer.begin(text);
    let most = 0;
    for (let i = 0; i < target.positions - 90 + 4; i++)
      most = Math.max(most, await furthest(scorer, [scorer.advance(start, i % 64)]));
    expect(most).toBeLessThan(1e-4);
    expect(decoder.fed.filter((rows) => rows === 2)).toHaveLength(1);
    scorer.dispose();
  });
});

describe("passes and rows", () => {
  it("one pass a position, with a row for each live path; what a text gained goes with its first question", async () => {
    const decoder = watched(await open(target.graphs.fp32!.tree));
    const scorer = createModelScorer({ decoder, prefillChunk: 8 });
    const ask = (states: readonly ModelState[]) =>
      scorer.score(states, rowRange(0, 5), new Float64Array(5 * states.length));
    const rowsOf = async (text: Int32Array) => {
      decoder.fed.length = 0;
      const root = scorer.begin(text);
      const two = [3, 4].map((token) => scorer.advance(root, token));
      await ask([root]);
      await ask(two);
      await ask(two.flatMap((state) => [1, 2].map((token) => scorer.advance(state, token))));
      return [...decoder.fed];
    };
    const text = Int32Array.from({ length: 20 }, (_, i) => i);
    expect(await rowsOf(text)).toEqual([8, 8, 3 + 1, 2, 4]);
    expect(await rowsOf(Int32Array.of(...text, 3, 1, 60))).toEqual([3 + 1, 2, 4]);
    scorer.dispose();
    await decoder.dispose();
  });
});

describe("bad input", () => {
  it("is refused", async () => {
    const [chain, decoder] = [await open(target.graphs.int8!.chain), await open(target.graphs.int8!.tree)];
    for (const options of [{ decoder: chain }, { decoder, temperature: 0 }, { decoder, prefillChunk: 0.5 }])
      expect(() => createModelScorer(options)).toThrow(code("ERR_OPTION"));
    const scorer = createModelScorer({ decoder, temperature: 2 });
    expect(() => scorer.begin(new Int32Array(0))).toThrow(code("ERR_PROMPT"));
    const state = scorer.begin(Int32Array.of(1, 2));
    expect(() => scorer.score([state], Int32Array.of(64), new Float64Array(1))).toThrow(code("ERR_OPTION"));
    expect(() => scorer.score([state], Int32Array.of(1, 2), new Float64Array(1))).toThrow(code("ERR_OPTION"));
    const out = new Float64Array(64);
    const long = scorer.begin(new Int32Array(target.positions + 1));
    await expect(scorer.score([long], Int32Array.of(1), out)).rejects.toEqual(code("ERR_CONTEXT_EXCEEDED"));
    await expect(scorer.score([scorer.advance(state, 99)], Int32Array.of(1), out)).rejects.toEqual(
      code("ERR_CONTRACT"),
    );
    await scorer.score([scorer.begin(Int32Array.of(3))], rowRange(0, 64), out);
    const after = out.slice();
    await scorer.score([createModelScorer({ decoder }).begin(Int32Array.of(3))], rowRange(0, 64), out);
    expect(after).toEqual(out);
    expect(out.reduce((sum, logProb) => sum + Math.exp(logProb), 0)).toBeCloseTo(1, 6);
    scorer.dispose();
    await expect(scorer.score([state], Int32Array.of(1), out)).rejects.toEqual(code("ERR_CLOSED"));
    await chain.dispose();
    await decoder.dispose();
  });
});
