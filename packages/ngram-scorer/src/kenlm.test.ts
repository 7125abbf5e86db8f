import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createKenlmScorer, readKenlm } from "./index.ts";

const open = (name: string) => readFileSync(new URL(`../golden/${name}`, import.meta.url));
const { asked } = JSON.parse(open("index.json").toString()) as {
  asked: { binary: string; query: string; heads: Record<string, string> };
};
const file = new Uint8Array(gunzipSync(open(asked.binary)));
const sentences = gunzipSync(open(asked.query))
  .toString()
  .split("\n")
  .map((line) => {
    const [words, scores] = line.split("\t") as [string, string];
    return { words: words.split(" "), scores: scores.split(" ").map(Number) };
  });

function edited(at: number, value: number, length = file.length): Uint8Array {
  const copy = new Uint8Array(length);
  copy.set(file.subarray(0, length));
  if (at + 4 <= length) new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

describe("KenLM's probing binary", () => {
  test("1,200 sentences, unknown words among them: every word as query scores it, within 1e-5 (log10)", () => {
    const model = readKenlm(file);
    const scorer = createKenlmScorer(model);
    const ids = new Map(model.words.map((word, id) => [word, id]));
    const out = new Float64Array(1);
    let most = 0;
    let asked = 0;
    for (const { words, scores } of sentences) {
      let state = scorer.begin(Int32Array.of(ids.get("<s>")!));
      expect(scores.length).toBe(words.length + 1);
      for (const [i, word] of [...words, "</s>"].entries()) {
        const id = ids.get(word) ?? 0;
        scorer.score([state], Int32Array.of(id), out);
        most = Math.max(most, Math.abs(out[0]! / Math.LN10 - scores[i]!));
        state = scorer.advance(state, id);
        asked++;
      }
    }
    expect(sentences.length).toBeGreaterThanOrEqual(1000);
    expect(asked).toBeGreaterThan(5000);
    expect(most).toBeLessThan(1e-5);
  });

  test("the caller's own ids, many candidates and states in a call", () => {
    const model = readKenlm(file);
    const word = (id: number) => (id === 0 ? "nothing that was seen" : model.words[model.words.length - id]!);
    const own = createKenlmScorer(model, { vocabularySize: model.words.length, word });
    const theirs = createKenlmScorer(model);
    const contexts = [[], [5], [9, 3], [7, 7, 7, 7], [2, 200, 1]];
    const mapped = (id: number) => (id === 0 ? 0 : model.words.length - id);
    const all = Int32Array.from(model.words, (_, id) => id);
    const a = new Float64Array(contexts.length * all.length);
    const b = new Float64Array(a.length);
    own.score(
      contexts.map((context) => own.begin(Int32Array.from(context))),
      all,
      a,
    );
    theirs.score(
      contexts.map((context) => theirs.begin(Int32Array.from(context, mapped))),
      all.map(mapped),
      b,
    );
    expect(a).toEqual(b);
    expect(new Set(a).size).toBeGreaterThan(50);
  });

  test("probabilities over the vocabulary sum to 1 within 1e-4 in 100 contexts", () => {
    const model = readKenlm(file);
    const scorer = createKenlmScorer(model);
    const all = Int32Array.from(model.words, (_, id) => id).filter((id) => model.words[id] !== "<s>");
    const out = new Float64Array(all.length);
    for (const { words } of sentences.slice(0, 100)) {
      scorer.score([scorer.begin(Int32Array.from(words, (word) => Math.max(0, model.words.indexOf(word))))], all, out);
      expect(out.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 4);
    }
  });

  test("from any alignment", () => {
    const shifted = new Uint8Array(file.length + 1);
    shifted.set(file, 1);
    expect(readKenlm(shifted.subarray(1)).words).toEqual(readKenlm(file).words);
  });

  test("KenLM's other kinds are recognised and refused with the command that converts", () => {
    for (const head of Object.values(asked.heads))
      expect(() => readKenlm(new Uint8Array(Buffer.from(head, "base64")))).toThrow(
        expect.objectContaining({
          code: "ERR_UNSUPPORTED",
          message: expect.stringMatching(/build_binary probing model\.arpa/),
          details: expect.objectContaining({ offset: 96 }),
        }),
      );
  });

  test.each([
    ["another file", new Uint8Array(200).fill(1), 0],
    ["an empty file", new Uint8Array(0), 0],
    ["a file cut inside the header", edited(0, 0x70616d6d, 90), 90],
    ["another architecture", edited(60, 0x0000803f), 60],
    ["order 1", edited(88, 1), 88],
    ["a multiplier that is none", edited(92, 0x7fc00000), 92],
    ["a kind that is none", edited(96, 6), 96],
    ["no words", edited(100, 0), 100],
    ["2^32 - 1 bigrams", edited(116, 2 ** 32 - 1), 116],
    ["2^32 bigrams", edited(120, 1), 116],
    ["a file cut inside its tables", edited(file.length, 0, 20_000), 20_000],
  ])("%s is ERR_PARSE with the byte", (_, bad, offset) => {
    expect(() => readKenlm(bad)).toThrow(
      expect.objectContaining({ code: "ERR_PARSE", details: expect.objectContaining({ offset }) }),
    );
  });

  test("a table without an empty place ends a search all the same, and is refused", () => {
    const full = file.slice();
    const { tables } = readKenlm(file);
    const view = new DataView(full.buffer);
    for (let i = 0; i < tables[0]!.buckets; i++) view.setUint32(4 * (tables[0]!.start + 4 * i), 7, true);
    expect(() => readKenlm(full)).toThrow(/no empty place/);
  });
});
