import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Tokenizer } from "@diffuspec/contracts";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { optionalPeer } from "./backends.ts";
import { createTokenizer, type TokenizerOptions } from "./index.ts";

const fixture = (name: string) => readFileSync(new URL(`../test/fixtures/${name}`, import.meta.url), "utf8");
const json = fixture("tokenizer.json");
const golden: [text: string, ids: number[]][] = JSON.parse(fixture("golden.json"));
const anyText = fc.string({ unit: "binary", maxLength: 60 });
const codeText = fc
  .array(
    fc.constantFrom(
      " ",
      "  ",
      "\n",
      "\r\n",
      "\t",
      "\ufeff",
      "\u0085",
      "x",
      "'s",
      "12",
      "²",
      "<|end|>",
      "é",
      "😀",
      "{",
      "const ",
    ),
  )
  .map((parts) => parts.join(""));
const text = fc.oneof(anyText, codeText);

describe.each(["huggingface", "xenova"] as const)("%s", (backend) => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await createTokenizer({ json, backend, eosTokens: ["<|end|>"] });
  });

  it("gives the ids of the Rust library", () => {
    expect(golden.length).toBeGreaterThan(500);
    for (const [text, ids] of golden) expect([text, ...tokenizer.encode(text)]).toEqual([text, ...ids]);
  });

  it("encodes special pieces as plain text", () => {
    const ids = tokenizer.encode("a<|end|>b<|mask|>");
    expect(ids).not.toContain(0);
    expect(ids).not.toContain(1);
    expect(tokenizer.decode(ids)).toBe("a<|end|>b<|mask|>");
  });

  it("reads files with merges as strings alike", async () => {
    const old = JSON.parse(json);
    old.model.merges = old.model.merges.map((pair: string[]) => pair.join(" "));
    const other = await createTokenizer({ json: old, backend, eosTokens: [] });
    for (const [text, ids] of golden.slice(0, 100)) expect(Array.from(other.encode(text))).toEqual(ids);
  });

  it("decodes to the same bytes, whole or in pieces", () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(7)), (text, cuts) => {
        const ids = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        const stream = tokenizer.stream();
        let out = "";
        let at = 0;
        for (const cut of cuts) {
          out += stream.push(ids.subarray(at, at + cut));
          at = Math.min(ids.length, at + cut);
          expect(text.startsWith(out)).toBe(true);
        }
        out += stream.push(ids.subarray(at)) + stream.end();
        expect(out).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("tokenizer", () => {
  const open = (options: Partial<TokenizerOptions> = {}) =>
    createTokenizer({ json, eosTokens: ["<|end|>"], ...options });

  it("both backends agree on any text", async () => {
    const [a, b] = [await open(), await open({ backend: "xenova" })];
    fc.assert(
      fc.property(text, (text) => {
        expect(Array.from(a.encode(text))).toEqual(Array.from(b.encode(text)));
      }),
      { numRuns: 1000 },
    );
    expect(a.vocabulary.fingerprint).toBe(b.vocabulary.fingerprint);
  });

  it("gives special, unused and foreign ids no text", async () => {
    const tokenizer = await open();
    expect(tokenizer.decode([0, ...tokenizer.encode("x"), 1, 4096, 99999, -1])).toBe("x");
  });

  it("holds unfinished UTF-8 back and ends it with U+FFFD", async () => {
    const tokenizer = await open();
    const ids = tokenizer.encode("😀");
    expect(ids.length).toBeGreaterThan(1);
    const stream = tokenizer.stream();
    expect(stream.push(ids.subarray(0, ids.length - 1))).toBe("");
    expect(stream.push([])).toBe("");
    expect(stream.end()).toBe("\ufffd");
    expect(tokenizer.decode(ids.subarray(0, 1))).toBe("\ufffd");
  });

  it("takes lone surrogates as U+FFFD", async () => {
    const tokenizer = await open();
    expect(tokenizer.decode(tokenizer.encode("a\ud800b\udc00"))).toBe("a\ufffdb\ufffd");
  });

  it("knows its ends, its beginning and its vocabulary", async () => {
    const tokenizer = await open({ config: { eos_token: { content: "<|mask|>" } }, bosToken: "<|end|>" });
    expect([tokenizer.eosIds, tokenizer.bosId]).toEqual([[0], 0]);
    const configured = await createTokenizer({ json, config: '{"eos_token":"<|end|>","bos_token":"<|mask|>"}' });
    expect([configured.eosIds, configured.bosId]).toEqual([[0], undefined]);
    const { size, fingerprint, piece } = tokenizer.vocabulary;
    expect([size, piece(0), piece(4096), piece(-1)]).toEqual([4096, "<|end|>", undefined, undefined]);
    const pieces = Object.entries<number>(JSON.parse(json).model.vocab)
      .sort((a, b) => a[1] - b[1])
      .map(([p]) => p);
    expect(fingerprint).toBe(createHash("sha256").update(JSON.stringify(pieces)).digest("hex"));
  });

  it("keeps added tokens that are not special", async () => {
    const file = JSON.parse(json);
    file.added_tokens.push({ id: 4100, content: "<tool é>", special: false, normalized: false });
    for (const backend of ["huggingface", "xenova"] as const) {
      const tokenizer = await open({ json: file, backend });
      expect(tokenizer.vocabulary.size).toBe(4101);
      expect(Array.from(tokenizer.encode("<tool é>"))).toEqual([4100]);
      expect(tokenizer.decode([4100, 4098])).toBe("<tool é>");
    }
  });
});

it.each(["huggingface", "xenova"] as const)("%s drops a byte without a piece, and only that", async (backend) => {
  const file = JSON.parse(json);
  delete file.model.vocab[String.fromCodePoint(0x104)]; // the byte 0x04
  const tokenizer = await createTokenizer({ json: file, eosTokens: [], backend });
  expect(tokenizer.decode(tokenizer.encode("a\u0004b"))).toBe("ab");
  expect(tokenizer.decode(tokenizer.encode("x = 1;"))).toBe("x = 1;");
});

describe("bad input", () => {
  interface File {
    model: { type: string; vocab?: Record<string, number>; merges: unknown[] };
    added_tokens: unknown[];
    decoder: unknown;
  }
  const changed = (change: (file: File & { model: { vocab: Record<string, number> } }) => void) => {
    const file = JSON.parse(json);
    change(file);
    return file;
  };
  it.each<[string, string, () => unknown]>([
    ["no JSON", "ERR_PARSE", () => json.slice(0, 1000)],
    ["a list", "ERR_PARSE", () => "[]"],
    ["no model", "ERR_PARSE", () => ({})],
    ["no vocabulary", "ERR_PARSE", () => changed((f: File) => delete f.model.vocab)],
    ["an id twice", "ERR_PARSE", () => changed((f) => (f.model.vocab.a = 7))],
    ["a fractional id", "ERR_PARSE", () => changed((f) => (f.model.vocab.zzzz = 7.5))],
    ["a huge id", "ERR_PARSE", () => changed((f) => (f.model.vocab.zzzz = 2 ** 40))],
    [
      "a missing byte",
      "ERR_PARSE",
      () =>
        changed((f) => {
          delete f.model.vocab.Ċ;
          f.model.merges = [];
        }),
    ],
    ["a foreign character", "ERR_PARSE", () => changed((f) => (f.model.vocab.你 = 5000))],
    ["a broken merge", "ERR_PARSE", () => changed((f) => f.model.merges.push(["a"]))],
    ["a merge of unknown pieces", "ERR_PARSE", () => changed((f) => f.model.merges.push(["a", "zzzzz"]))],
    ["a broken added token", "ERR_PARSE", () => changed((f) => f.added_tokens.push({ id: "5", content: "x" }))],
    ["WordPiece", "ERR_UNSUPPORTED", () => changed((f) => (f.model.type = "WordPiece"))],
    ["another decoder", "ERR_UNSUPPORTED", () => changed((f) => (f.decoder = { type: "Metaspace" }))],
  ])("%s is %s", async (_, code, file) => {
    await expect(createTokenizer({ json: file() as string, eosTokens: [] })).rejects.toMatchObject({ code });
  });

  it.each<[string, object]>([
    ["an unknown eos", { json, eosTokens: ["</s>"] }],
    ["no eos", { json }],
    ["an unknown backend", { json, eosTokens: [], backend: "toString" }],
    ["an unknown option", { json, eosTokens: [], bos: "x" }],
  ])("%s is ERR_OPTION", async (_, options) => {
    await expect(createTokenizer(options as TokenizerOptions)).rejects.toMatchObject({ code: "ERR_OPTION" });
  });

  it("names the command that installs a missing peer", async () => {
    const missing = () => import("@diffuspec/not-there/x.js" as string);
    const load = () =>
      missing().catch((cause) => Promise.reject(Object.assign(cause, { code: "ERR_MODULE_NOT_FOUND" })));
    await expect(optionalPeer(load)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("npm install @xenova/transformers"),
    });
    await expect(optionalPeer(() => Promise.reject(new Error("other")))).rejects.toThrow("other");
  });
});
