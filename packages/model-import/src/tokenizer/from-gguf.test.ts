import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Tokenizer } from "@diffuspec/contracts";
import { createTokenizer } from "@diffuspec/tokenizer";
import { describe, expect, it } from "vitest";
import { goldenPath } from "../../test/golden.ts";
import type { MetadataValue } from "../source/gguf-header.ts";
import { bosOf } from "./bos.ts";
import { tokenizerFromGguf } from "./from-gguf.ts";

const golden = JSON.parse(readFileSync(goldenPath("tokenizers.json"), "utf8")) as {
  texts: string[];
  vocabularies: Record<string, { tokens: string[]; merges: string[] }>;
  /** What the reference library gives for every text. */
  cases: { pre: string; vocabulary: string; ids: number[][] }[];
};

/** The text in front of its ids, so that a difference says where it is. */
const encodeAll = (tokenizer: Tokenizer) => golden.texts.map((text) => [text, ...tokenizer.encode(text)]);
const expected = (ids: number[][]) => golden.texts.map((text, i) => [text, ...ids[i]!]);

function metadata(
  pre: string,
  change: Record<string, MetadataValue> = {},
  vocabulary = "unsplit",
): Map<string, MetadataValue> {
  const { tokens, merges } = golden.vocabularies[vocabulary]!;
  const special = ["<|im_end|>", "<tool>", "[PAD]"];
  const fields: Record<string, MetadataValue> = {
    model: "gpt2",
    pre,
    tokens: [...tokens, ...special],
    merges,
    token_type: [...tokens.map(() => 1), 3, 4, 5],
    ...change,
  };
  return new Map(Object.entries(fields).map(([name, value]) => [`tokenizer.ggml.${name}`, value]));
}

describe.each(golden.cases)("the pre-tokenizer $pre over the vocabulary $vocabulary", ({ pre, vocabulary, ids }) => {
  it.each(["huggingface", "xenova"] as const)("gives the reference library's ids and texts (%s)", async (backend) => {
    const json = tokenizerFromGguf(metadata(pre, {}, vocabulary))!;
    const tokenizer = await createTokenizer({ json, eosTokens: ["<|im_end|>"], backend });
    expect(golden.texts.length).toBeGreaterThanOrEqual(200);
    expect(encodeAll(tokenizer)).toEqual(expected(ids));
    const written = (text: string) => (pre === "qwen2" ? text.normalize("NFC") : text);
    expect(ids.map((row) => tokenizer.decode(row))).toEqual(golden.texts.map(written));
  });
});

it("the goldens hold every pre-tokenizer apart from every other", () => {
  const ids = golden.cases.filter(({ vocabulary }) => vocabulary === "unsplit").map((one) => JSON.stringify(one.ids));
  expect(new Set(ids).size).toBe(4);
});

const real = fileURLToPath(new URL("../../../../models/smollm2-135m/tokenizer.json", import.meta.url));
const smollm2 = JSON.parse(readFileSync(goldenPath("smollm2-ids.json"), "utf8")) as {
  sha256: string;
  ids: number[][];
  /** By index, the texts of which the vocabulary cannot spell every byte, as the reference library decodes them. */
  decoded: Record<string, string>;
};
const absent = existsSync(real) ? "" : " (skipped: models/smollm2-135m is not there, npm run smollm2 makes it)";

describe.skipIf(absent)(`the tokenizer of SmolLM2${absent}`, () => {
  it.each(["huggingface", "xenova"] as const)("gives the reference library's ids and texts (%s)", async (backend) => {
    const json = readFileSync(real, "utf8");
    expect(createHash("sha256").update(json).digest("hex"), "made for another file").toBe(smollm2.sha256);
    const tokenizer = await createTokenizer({ json, eosTokens: ["<|im_end|>"], backend });
    expect(encodeAll(tokenizer)).toEqual(expected(smollm2.ids));
    const written = golden.texts.map((text, i) => smollm2.decoded[i] ?? text);
    expect(smollm2.ids.map((row) => tokenizer.decode(row))).toEqual(written);
  });
});

it("tells special tokens, tokens added by hand, and unused ones apart", async () => {
  const tokenizer = await createTokenizer({ json: tokenizerFromGguf(metadata("smollm"))!, eosTokens: ["<|im_end|>"] });
  const first = golden.vocabularies.unsplit!.tokens.length;
  expect(tokenizer.eosIds).toEqual([first]);
  expect([...tokenizer.encode("<tool>")]).toEqual([first + 1]);
  expect(tokenizer.decode(Int32Array.of(first, first + 1))).toBe("<tool>");
  expect(tokenizer.vocabulary.size).toBe(first + 2);
});

it.each<[string, Record<string, MetadataValue>]>([
  ["a SentencePiece vocabulary", { model: "llama" }],
  ["a pre-tokenizer that is not known", { pre: "tekken" }],
  ["no merges", { merges: [1, 2] }],
])("%s gives none", (_, change) => {
  expect(tokenizerFromGguf(metadata("smollm", change))).toBeUndefined();
});

describe("the id before every text", () => {
  const added_tokens = [{ id: 7, content: "<s>" }];
  const template = { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }] };
  it.each<[string, object, object, number | undefined]>([
    ["a template", { added_tokens, post_processor: template }, {}, 7],
    [
      "a template among others",
      { added_tokens, post_processor: { type: "Sequence", processors: [{ type: "ByteLevel" }, template] } },
      {},
      7,
    ],
    ["add_bos_token", { added_tokens }, { add_bos_token: true, bos_token: { content: "<s>" } }, 7],
    ["no add_bos_token", { added_tokens }, { bos_token: "<s>" }, undefined],
    ["a piece that is not there", { added_tokens: [] }, { add_bos_token: true, bos_token: "<s>" }, undefined],
  ])("%s", (_, tokenizer, config, id) => {
    expect(bosOf(tokenizer as Record<string, unknown>, config as Record<string, unknown>)).toBe(id);
  });
});
