import { DiffuSpecError } from "@diffuspec/contracts";
import { decodeNgram, type NgramModel } from "@diffuspec/ngram-scorer";
import type { Pair } from "./pair.ts";

/**
 * The model's n-gram; where it has none, one to which every id is equally likely, so that all it knows is the text at hand.
 *
 * @throws ERR_PARSE, ERR_VOCABULARY_MISMATCH, ERR_MODEL_FILE_ALTERED
 */
export async function openNgram({ files, manifest }: Pair, vocabularySize: number): Promise<NgramModel> {
  if (manifest.ngram === undefined) return emptyNgram(vocabularySize);
  const model = decodeNgram(await files.read(manifest.ngram));
  if (model.vocabularySize === vocabularySize) return model;
  throw new DiffuSpecError({
    code: "ERR_VOCABULARY_MISMATCH",
    what: `The n-gram ${manifest.ngram} has ${model.vocabularySize} ids`,
    why: `the target has ${vocabularySize}`,
    next: "Use the n-gram that belongs to the model.",
    details: { found: model.vocabularySize, wanted: vocabularySize },
  });
}

function emptyNgram(vocabularySize: number): NgramModel {
  const level = {
    tokens: Uint32Array.from({ length: vocabularySize }, (_, id) => id),
    logProb: new Float32Array(vocabularySize).fill(-Math.log(vocabularySize)),
    backoff: new Float32Array(0),
    childStart: new Uint32Array(0),
  };
  return { order: 1, vocabularySize, levels: [level] };
}
