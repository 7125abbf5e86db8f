import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type Discounts, estimateNgram, type NgramModel } from "@diffuspec/ngram-scorer";

/** What KenLM's lmplz made of a corpus; scripts/golden.mjs writes these files. */
export interface Golden {
  readonly corpus: string;
  readonly order: number;
  readonly prune?: readonly number[];
  readonly fallback?: Discounts;
  readonly file: string;
}

/** A model whose binary was asked by KenLM's query. */
export interface Asked extends Golden {
  readonly binary: string;
  readonly query: string;
}

/** @param folder of the golden files, with a slash at its end */
export function openGolden(folder: URL) {
  const open = (name: string) => readFileSync(new URL(name, folder));
  const unpack = (name: string) => gunzipSync(open(name));
  const { models, asked } = JSON.parse(open("index.json").toString()) as { models: readonly Golden[]; asked: Asked };

  /** Our model of the corpus; <unk> is an id that never occurs. */
  function estimated(golden: Golden, lmplz = true): { model: NgramModel; ids: Map<string, number> } {
    const { corpus, order, prune, fallback } = golden;
    const ids = new Map<string, number>(["<s>", "</s>", "<unk>"].map((word, id) => [word, id]));
    const id = (word: string) => ids.get(word) ?? ids.set(word, ids.size).get(word)!;
    const lines = unpack(`${corpus}.txt.gz`).toString().split("\n").slice(0, -1);
    const sequences = lines.map((line) => line.split(" ").filter(Boolean).map(id));
    const model = estimateNgram(sequences, {
      order,
      boundaries: { begin: 0, end: 1 },
      lmplz,
      vocabularySize: ids.size,
      ...(prune && { prune }),
      ...(fallback && { fallback }),
    });
    return { model, ids };
  }

  return { models, asked, unpack, estimated };
}
