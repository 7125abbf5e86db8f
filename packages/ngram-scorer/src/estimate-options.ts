import type { Boundaries } from "./count.ts";
import { type Discounts, FALLBACK_DISCOUNTS, isDiscount } from "./discounts.ts";
import { optionError } from "./errors.ts";
import { MAX_ORDER, requireId } from "./model.ts";
import type { WordIds } from "./words.ts";

interface CommonOptions {
  /** Longest n-gram, 1..6. */
  readonly order?: number;
  /**
   * By order: n-grams that occur this often or less are left out and their mass goes to the back-off. prune[0] is for single
   * ids and must be 0; the last entry holds for all higher orders; never falling.
   */
  readonly prune?: readonly number[];
  /** Used for an order whose counts give no discounts, see discountsOf(). */
  readonly fallback?: Discounts;
  /**
   * Discounts as KenLM's lmplz computes them: it takes one n-gram of every order, the last one it meets, as often as it
   * occurs, and it accepts a discount of 0. Shows in tiny corpora only. Needs both boundaries. Default false.
   */
  readonly lmplz?: boolean;
  /**
   * Most bytes that counting and estimating may take, the model among them; held against an upper bound, see
   * {@link bytesPerToken}. estimateNgramSpilled() of the entry /node keeps to it by going to disk; others refuse.
   */
  readonly mostBytes?: number;
}

/** For sequences of token ids. */
export interface EstimateOptions extends CommonOptions {
  readonly vocabularySize: number;
  /**
   * Ids put before and after every sequence, as <s> and </s>: `begin` gives context and is never predicted (ln p is -228),
   * `end` is an id like others. Neither may stand in a sequence. Default: none.
   */
  readonly boundaries?: Boundaries;
}

/** For sentences of words: their ids are those of `words`, which learns them, and its <s> and </s> stand around each. */
export interface EstimateWordsOptions extends CommonOptions {
  readonly words: WordIds;
}

export const ESTIMATE_DEFAULTS = {
  order: 3,
  prune: [0],
  boundaries: {},
  fallback: FALLBACK_DISCOUNTS,
  lmplz: false,
  mostBytes: 2 ** 32,
} as const;

/** Options that hold, with every default. */
export interface Settings {
  readonly order: number;
  readonly prune: readonly number[];
  readonly boundaries: Boundaries;
  readonly fallback: Discounts;
  readonly lmplz: boolean;
  readonly mostBytes: number;
  readonly words: WordIds | undefined;
  /** Of the vocabulary; a growing one is asked when the corpus has ended. */
  size(): number;
}

/**
 * An upper bound for the memory of an estimation, in bytes a token, met where every n-gram is distinct: the text and its
 * sorting 80, and 36 an order for n-grams, counts and what becomes of them.
 */
export function bytesPerToken(order: number): number {
  return 80 + 36 * order;
}

/** @throws ERR_OPTION */
export function checked(options: EstimateOptions | EstimateWordsOptions): Settings {
  const { order = ESTIMATE_DEFAULTS.order, prune = ESTIMATE_DEFAULTS.prune } = options;
  const { fallback = ESTIMATE_DEFAULTS.fallback, lmplz = ESTIMATE_DEFAULTS.lmplz } = options;
  const { mostBytes = ESTIMATE_DEFAULTS.mostBytes } = options;
  if (!Number.isInteger(order) || order < 1 || order > MAX_ORDER)
    throw optionError(`order is ${order}`, `it is an integer in 1..${MAX_ORDER}`);
  const falls = prune.some((count, i) => !Number.isInteger(count) || count < 0 || (i > 0 && count < prune[i - 1]!));
  if (prune.length === 0 || prune[0] !== 0 || falls)
    throw optionError(`prune is [${prune.join(", ")}]`, "it begins with 0 and holds counts that never fall");
  if (fallback.length !== 3 || !fallback.every(isDiscount))
    throw optionError(`fallback is [${fallback.join(", ")}]`, "it is three numbers in (0, 1], (0, 2] and (0, 3]");
  if (!Number.isInteger(mostBytes) || mostBytes < 1)
    throw optionError(`mostBytes is ${mostBytes}`, "it is a positive integer");
  const vocabulary = "words" in options ? ofWords(options) : ofIds(options, lmplz);
  return { order, prune, fallback, lmplz, mostBytes, ...vocabulary };
}

function ofWords({ words }: EstimateWordsOptions): Pick<Settings, "words" | "boundaries" | "size"> {
  return { words, boundaries: words.boundaries, size: () => words.size };
}

function ofIds(options: EstimateOptions, lmplz: boolean): Pick<Settings, "words" | "boundaries" | "size"> {
  const { vocabularySize } = options;
  const boundaries: Boundaries = options.boundaries ?? ESTIMATE_DEFAULTS.boundaries;
  const { begin, end } = boundaries;
  if (!Number.isInteger(vocabularySize) || vocabularySize < 1 || vocabularySize > 2 ** 24)
    throw optionError(`vocabularySize is ${vocabularySize}`, "it is an integer in 1..2^24");
  for (const id of [begin, end]) if (id !== undefined) requireId({ vocabularySize }, id);
  if (begin !== undefined && begin === end)
    throw optionError(`boundaries are ${begin} and ${end}`, "begin and end are two ids");
  if (lmplz && (begin === undefined || end === undefined))
    throw optionError("lmplz is set without both boundaries", "lmplz puts <s> and </s> around every sentence");
  return { words: undefined, boundaries, size: () => vocabularySize };
}
