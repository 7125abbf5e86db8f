import { DiffuSpecError } from "@diffuspec/contracts";
import { decodeNgram, type NgramModel } from "@diffuspec/ngram-scorer";
import type { Pair } from "./pair.ts";

/** The model's n-gram; undefined where it has none. @throws ERR_PARSE, ERR_VOCABULARY_MISMATCH, ERR_MODEL_FILE_ALTERED */
export async function openNgram({ files, manifest }: Pair): Promise<NgramModel | undefined> {
  if (manifest.ngram === undefined) return undefined;
  const model = decodeNgram(await files.read(manifest.ngram));
  const wanted = manifest.target.vocabularySize;
  if (model.vocabularySize === wanted) return model;
  throw new DiffuSpecError({
    code: "ERR_VOCABULARY_MISMATCH",
    what: `The n-gram ${manifest.ngram} has ${model.vocabularySize} ids`,
    why: `the target has ${wanted}`,
    next: "Use the n-gram that belongs to the model.",
    details: { found: model.vocabularySize, wanted },
  });
}
