import { createHashedScorer, createKenlmScorer, readArpa, readKenlm } from "@diffuspec/ngram-scorer";
import { type Golden, openGolden } from "../../../packages/ngram-scorer/test/golden.ts";

const { models, asked, unpack, estimated } = openGolden(
  new URL("../../../packages/ngram-scorer/golden/", import.meta.url),
);

/**
 * The furthest that anything is from KenLM in the golden files, in log10: every probability and back-off of every model that
 * lmplz made, and every word of the sentences that were asked of its query, with the hashed scorer over our own model and with
 * KenLM's own binary.
 */
export function goldenDifference(): number {
  return Math.max(...models.map(ofModel), ofQueries());
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

function ofQueries(): number {
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
