import { readFileSync } from "node:fs";
import { createTokenizer } from "@diffuspec/tokenizer";
import { describe, expect, it } from "vitest";
import { goldenPath } from "../../test/golden.ts";
import type { MetadataValue } from "../source/gguf-header.ts";
import { bosOf } from "./bos.ts";
import { tokenizerFromGguf } from "./from-gguf.ts";

const golden = JSON.parse(readFileSync(goldenPath("tokenizers.json"), "utf8")) as {
  tokens: string[];
  merges: string[];
  texts: string[];
  ids: Record<string, number[][]>;
};

function metadata(pre: string, change: Record<string, MetadataValue> = {}): Map<string, MetadataValue> {
  const special = ["<|im_end|>", "<tool>", "[PAD]"];
  const fields: Record<string, MetadataValue> = {
    model: "gpt2",
    pre,
    tokens: [...golden.tokens, ...special],
    merges: golden.merges,
    token_type: [...golden.tokens.map(() => 1), 3, 4, 5],
    ...change,
  };
  return new Map(Object.entries(fields).map(([name, value]) => [`tokenizer.ggml.${name}`, value]));
}

describe.each(Object.keys(golden.ids))("the pre-tokenizer %s", (pre) => {
  it.each(["huggingface", "xenova"] as const)("gives the reference library's ids (%s)", async (backend) => {
    const json = tokenizerFromGguf(metadata(pre))!;
    const tokenizer = await createTokenizer({ json, eosTokens: ["<|im_end|>"], backend });
    for (const [i, text] of golden.texts.entries()) {
      const ids = tokenizer.encode(text);
      expect([...ids], JSON.stringify(text)).toEqual(golden.ids[pre]![i]);
      expect(tokenizer.decode(ids)).toBe(pre === "qwen2" ? text.normalize("NFC") : text);
    }
  });
});

it("tells special tokens, tokens added by hand, and unused ones apart", async () => {
  const tokenizer = await createTokenizer({ json: tokenizerFromGguf(metadata("smollm"))!, eosTokens: ["<|im_end|>"] });
  const first = golden.tokens.length;
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
