import { DiffuSpecError } from "@diffuspec/contracts";
import { type Corpus, createCorpus } from "./corpus.ts";
import { type CountedLevel, countNgrams, type Stream } from "./count.ts";
import { optionError } from "./errors.ts";
import {
  bytesPerToken,
  checked,
  type EstimateOptions,
  type EstimateWordsOptions,
  type Settings,
} from "./estimate-options.ts";
import { kneserNey } from "./kneser-ney.ts";
import { type NgramModel, requireId } from "./model.ts";
import type { Sentence } from "./words.ts";

/**
 * Interpolated modified Kneser-Ney (Chen and Goodman, 1998), stored in back-off form. The highest order uses counts, lower
 * ones the number of distinct ids that come before. Single ids are interpolated with the uniform distribution, so every id
 * of the vocabulary has a probability: an id that was never seen has what others give to <unk>.
 *
 * @param sequences token ids, or with `words` sentences; n-grams do not cross from one into the next
 * @throws ERR_OPTION for bad options, an id outside the vocabulary or a boundary id in a sequence, no ids at all, or a
 *   corpus that could take more than `mostBytes`
 */
export function estimateNgram(sequences: Iterable<ArrayLike<number>>, options: EstimateOptions): NgramModel;
export function estimateNgram(sentences: Iterable<Sentence>, options: EstimateWordsOptions): NgramModel;
export function estimateNgram(
  sequences: Iterable<ArrayLike<number> | Sentence>,
  options: EstimateOptions | EstimateWordsOptions,
): NgramModel {
  const estimation = createEstimation(checked(options), refuse);
  for (const sequence of sequences) estimation.add(sequence);
  return estimation.finish();
}

/** {@link estimateNgram} of a corpus that comes bit by bit: the lines of a file, say. The sequences are not kept, their ids are. */
export function estimateNgramStream(
  sequences: AsyncIterable<ArrayLike<number>> | Iterable<ArrayLike<number>>,
  options: EstimateOptions,
): Promise<NgramModel>;
export function estimateNgramStream(
  sentences: AsyncIterable<Sentence> | Iterable<Sentence>,
  options: EstimateWordsOptions,
): Promise<NgramModel>;
export async function estimateNgramStream(
  sequences: AsyncIterable<ArrayLike<number> | Sentence> | Iterable<ArrayLike<number> | Sentence>,
  options: EstimateOptions | EstimateWordsOptions,
): Promise<NgramModel> {
  const estimation = createEstimation(checked(options), refuse);
  for await (const sequence of sequences) estimation.add(sequence);
  return estimation.finish();
}

/** Counts that went elsewhere when memory was used up. */
export interface Overflow {
  put(part: Stream): void;
  /** Everything put, counted as one, with the ids of `rest`. */
  counted(rest: Stream, vocabularySize: number): readonly CountedLevel[];
}

/** The course of an estimation. `overflow` is asked for when the room for ids is used up. */
export function createEstimation(settings: Settings, overflow: (settings: Settings) => Overflow) {
  const { order, boundaries, words, lmplz } = settings;
  const ranks = new Map<number, number>();
  let spilled: Overflow | undefined;
  /** Whether there is an id to predict. */
  let any = false;
  const corpus: Corpus = createCorpus({
    boundaries,
    order,
    mostTokens: Math.floor(settings.mostBytes / bytesPerToken(order)),
    check(id) {
      if (!words) {
        requireId({ vocabularySize: settings.size() }, id);
        if (id === boundaries.begin || id === boundaries.end)
          throw optionError(`The boundary id ${id} stands in a sequence`, "boundaries are put around sequences");
      }
      if (lmplz && !ranks.has(id)) ranks.set(id, ranks.size);
      any = true;
    },
    full(part) {
      spilled ??= overflow(settings);
      spilled.put(part);
    },
  });

  return {
    add(sequence: ArrayLike<number> | Sentence): void {
      any ||= boundaries.end !== undefined;
      if (words) corpus.add(words.learn(sequence as Sentence));
      else if (typeof sequence !== "string" && typeof sequence[0] !== "string")
        corpus.add(sequence as ArrayLike<number>);
      else throw optionError("A sequence holds words", "with `vocabularySize` it holds ids; for words pass `words`");
    },
    finish(): NgramModel {
      if (!any) throw optionError("the corpus is empty", "there is nothing to count");
      const rest = corpus.rest();
      const size = settings.size();
      if (size > 2 ** 24) throw optionError(`The corpus has ${size} words`, "a vocabulary has at most 2^24");
      const counted = spilled ? spilled.counted(rest, size) : countNgrams(rest, order, size);
      return kneserNey(counted, settings, size, ranks);
    },
  };
}

function refuse({ mostBytes, order }: Settings): never {
  const perToken = bytesPerToken(order);
  throw new DiffuSpecError({
    code: "ERR_OPTION",
    what: `The corpus has more than ${Math.floor(mostBytes / perToken)} ids, boundaries among them`,
    why: `mostBytes is ${mostBytes}, and an estimation of order ${order} can take ${perToken} bytes an id`,
    next: "Raise mostBytes, or use estimateNgramSpilled() of @diffuspec/ngram-scorer/node, which goes to disk.",
    details: { mostBytes, bytesPerToken: perToken },
  });
}
