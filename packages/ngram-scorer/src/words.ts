import type { Boundaries } from "./count.ts";
import { optionError } from "./errors.ts";

/** Words, or a text that white space cuts into words (a line's end is white space too). */
export type Sentence = string | readonly string[];

/** A vocabulary that grows with the text it is shown: 0 is <unk>, 1 <s>, 2 </s>, then words as they first appear. */
export interface WordIds {
  /** Ids there are. */
  readonly size: number;
  readonly boundaries: Required<Boundaries>;
  id(word: string): number | undefined;
  /** @throws ERR_OPTION for an id that there is not */
  word(id: number): string;
  /** The id of every word, 0 for those not known. */
  ids(sentence: Sentence): number[];
  /** The same after its words have become known. @throws ERR_OPTION for <unk>, <s>, </s>, or what is no word */
  learn(sentence: Sentence): number[];
}

const SPECIAL = ["<unk>", "<s>", "</s>"];
/** ASCII's, as lmplz has it: other white space is part of a word. */
const SPACE = /[\0\t\n\v\f\r ]+/;

/** @param words what is known from the start: another vocabulary's words from id 3 on, in order */
export function createWordIds(words: Iterable<string> = []): WordIds {
  const texts = [...SPECIAL];
  const known = new Map(texts.map((word, id) => [word, id]));

  function learnOne(word: string): number {
    const found = known.get(word);
    if (found !== undefined && found >= SPECIAL.length) return found;
    if (found !== undefined)
      throw optionError(`A sentence holds ${word}`, "that word marks what stands around sentences");
    if (typeof word !== "string" || word === "" || SPACE.test(word))
      throw optionError(`A word is ${JSON.stringify(word)}`, "words are strings, not empty and without white space");
    known.set(word, texts.length);
    return texts.push(word) - 1;
  }

  for (const word of words) learnOne(word);
  return {
    get size() {
      return texts.length;
    },
    boundaries: { begin: 1, end: 2 },
    id: (word) => known.get(word),
    word(id) {
      const word = texts[id];
      if (word === undefined) throw optionError(`There is no word ${id}`, `ids are 0..${texts.length - 1}`);
      return word;
    },
    ids: (sentence) => wordsOf(sentence).map((word) => known.get(word) ?? 0),
    learn: (sentence) => wordsOf(sentence).map(learnOne),
  };
}

function wordsOf(sentence: Sentence): readonly string[] {
  if (typeof sentence === "string") return sentence.split(SPACE).filter((word) => word !== "");
  if (!Array.isArray(sentence)) throw optionError("A sentence is neither text nor an array", "`words` asks for words");
  return sentence;
}
