import { optionError } from "./errors.ts";
import type { NgramModel } from "./model.ts";

export interface ArpaWriteOptions {
  /** The word of an id; default its decimal digits. Words differ from one another and hold no white space. */
  readonly piece?: (id: number) => string;
}

/** Nine digits bring every 32-bit float back bit for bit. ARPA holds log10; this is where ours become that. */
const log10 = (natural: number) => (natural === 0 ? "0" : (natural / Math.LN10).toPrecision(9));

/**
 * The model in ARPA format, line by line. Every id of the vocabulary is listed, so no <unk> is written.
 *
 * @throws ERR_OPTION for a word that is empty, holds white space, or belongs to two ids
 */
export function* arpaLines(model: NgramModel, options: ArpaWriteOptions = {}): Generator<string, void, void> {
  const words = wordsOf(model.vocabularySize, options.piece);
  yield "\\data\\";
  for (const [i, level] of model.levels.entries()) yield `ngram ${i + 1}=${level.logProb.length}`;
  for (let order = 1; order <= model.order; order++) {
    yield "";
    yield `\\${order}-grams:`;
    yield* section(model, order, words);
  }
  yield "";
  yield "\\end\\";
}

/** {@link arpaLines} as one text. */
export function writeArpa(model: NgramModel, options: ArpaWriteOptions = {}): string {
  return `${[...arpaLines(model, options)].join("\n")}\n`;
}

function* section(model: NgramModel, order: number, words: readonly string[]): Generator<string, void, void> {
  const { logProb, backoff } = model.levels[order - 1]!;
  function* walk(depth: number, from: number, to: number, before: string): Generator<string, void, void> {
    const { tokens, childStart } = model.levels[depth - 1]!;
    for (let i = from; i < to; i++) {
      const text = before + words[tokens[i]!]!;
      if (depth < order) yield* walk(depth + 1, childStart[i]!, childStart[i + 1]!, `${text} `);
      else yield `${log10(logProb[i]!)}\t${text}${backoff.length > 0 ? `\t${log10(backoff[i]!)}` : ""}`;
    }
  }
  yield* walk(1, 0, model.vocabularySize, "");
}

function wordsOf(vocabularySize: number, piece: ((id: number) => string) | undefined): string[] {
  const words = Array.from({ length: vocabularySize }, (_, id) => (piece ?? String)(id));
  if (!piece) return words;
  const seen = new Set<string>();
  for (const [id, word] of words.entries()) {
    if (!/^[^ \t\r\n]+$/.test(word))
      throw optionError(
        `The word of id ${id} is ${JSON.stringify(word)}`,
        "ARPA words are not empty and hold no white space",
      );
    if (seen.has(word))
      throw optionError(`The word ${word} of id ${id} belongs to another id too`, "words must differ");
    seen.add(word);
  }
  return words;
}
