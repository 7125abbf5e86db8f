import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  createHashedScorer,
  createKenlmScorer,
  type Discounts,
  estimateNgram,
  readArpa,
  readKenlm,
} from "@diffuspec/ngram-scorer";

interface Golden {
  readonly corpus: string;
  readonly order: number;
  readonly prune?: readonly number[];
  readonly fallback?: Discounts;
  readonly file: string;
}

const open = (name: string) => readFileSync(new URL(`../../../packages/ngram-scorer/golden/${name}`, import.meta.url));
const unpack = (name: string) => gunzipSync(open(name));

/**
 * The furthest that anything is from KenLM in the golden files, in log10: every probability and back-off of every model that
 * lmplz made, and every word of the sentences that were asked of its query, with the hashed scorer over our own model and with
 * KenLM's own binary.
 */
export function goldenDifference(): number {
  const { models, asked } = JSON.parse(open("index.json").toString()) as {
    models: readonly Golden[];
    asked: Golden & { binary: string; query: string };
  };
  return Math.max(...models.map(ofModel), ofQueries(asked));
}

function estimated({ corpus, order, prune, fallback }: Golden) {
  const ids = new Map<string, number>(["<s>", "</s>", "<unk>"].map((word, id) => [word, id]));
  const id = (word: string) => ids.get(word) ?? ids.set(word, ids.size).get(word)!;
  const lines = unpack(`${corpus}.txt.gz`).toString().split("\n").slice(0, -1);
  const sequences = lines.map((line) => line.split(" ").filter(Boolean).map(id));
  const model = estimateNgram(sequences, {
    order,
    vocabularySize: ids.size,
    boundaries: { begin: 0, end: 1 },
    lmplz: true,
    ...(prune && { prune }),
    ...(fallback && { fallback }),
  });
  return { model, ids };
}

function ofModel(golden: Golden): number {
  const { model, ids } = estimated(golden);
  const theirs = readArpa(unpack(golden.file), { vocabularySize: ids.size, id: (word) => ids.get(word) });
  let most = 0;
  for (const [i, { tokens, logProb, backoff }] of model.levels.entries()) {
    const other = theirs.levels[i]!;
    if (tokens.length !== other.tokens.length || tokens.some((token, g) => token !== other.tokens[g]))
      return Number.POSITIVE_INFINITY;
    for (let g = 0; g < tokens.length; g++) {
      if (i > 0 || g !== ids.get("<s>")) most = Math.max(most, Math.abs(logProb[g]! - other.logProb[g]!)); // lmplz: p(<s>) = 1
      if (backoff.length > 0) most = Math.max(most, Math.abs(backoff[g]! - other.backoff[g]!));
    }
  }
  return most / Math.LN10;
}

function ofQueries(asked: Golden & { binary: string; query: string }): number {
  const { model, ids } = estimated(asked);
  const hashed = createHashedScorer(model);
  const binary = readKenlm(new Uint8Array(unpack(asked.binary)));
  const direct = createKenlmScorer(binary);
  const known = new Map(binary.words.map((word, id) => [word, id]));
  let most = 0;
  for (const line of unpack(asked.query).toString().split("\n")) {
    const [text, scores] = line.split("\t") as [string, string];
    let state = hashed.begin(Int32Array.of(ids.get("<s>")!));
    let other = direct.begin(Int32Array.of(known.get("<s>")!));
    const words = [...text.split(" "), "</s>"];
    for (const [i, score] of scores.split(" ").entries()) {
      const token = ids.get(words[i]!) ?? ids.get("<unk>")!;
      const theirs = known.get(words[i]!) ?? 0;
      most = Math.max(
        most,
        Math.abs(hashed.score(state, token) / Math.LN10 - Number(score)),
        Math.abs(direct.score(other, theirs) / Math.LN10 - Number(score)),
      );
      state = hashed.advance(state, token);
      other = direct.advance(other, theirs);
    }
  }
  return most;
}
