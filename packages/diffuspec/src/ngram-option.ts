import { defined, optionError, refuseUnknown, requireInteger, requireNumber } from "./checks.ts";
import { checkCut } from "./search-option.ts";

/**
 * The n-gram as a drafter, the model's own or one of nothing but the text at hand: it ends a draft before the chance of all of
 * it falls below `cut`. "hybrid" takes its draft where it expects `least` accepted tokens or more, and always where the
 * temperature is above 0.
 */
export interface NgramOption {
  readonly cut?: number;
  readonly least?: number;
  /**
   * How it counts the text at hand, as a drafter and in the pool: for contexts of at most `longest` ids (1..16), with `discount` (0..1,
   * one number or one by length of context) and `strength` (> 0) as in createOnlineScorer of @diffuspec/ngram-scorer.
   */
  readonly recent?: {
    readonly longest?: number;
    readonly discount?: number | readonly number[];
    readonly strength?: number;
  };
}

/** What is left out of the caller's and of the model's own `ngram`; contexts longer than any model's, because long copies are surer. */
export const NGRAM_DEFAULTS = { cut: 0.1, least: 3, recent: { longest: 8 } } as const satisfies NgramOption;

/** @throws ERR_OPTION */
export function checkNgram(ngram: NgramOption): void {
  refuseUnknown("ngram", ngram, ["cut", "least", "recent"]);
  checkCut("ngram.cut", ngram.cut);
  if (ngram.least !== undefined) requireNumber("ngram.least", ngram.least, 0, 1024);
  if (ngram.recent !== undefined) checkRecent(ngram.recent);
}

function checkRecent(recent: NonNullable<NgramOption["recent"]>): void {
  refuseUnknown("ngram.recent", recent, ["longest", "discount", "strength"]);
  const { longest, discount, strength } = recent;
  if (longest !== undefined) requireInteger("ngram.recent.longest", longest, 1, 16);
  if (Array.isArray(discount)) {
    if (discount.length === 0)
      throw optionError("ngram.recent.discount", discount, "a number in 0..1, or some of them");
    for (const one of discount) requireNumber("ngram.recent.discount", one, 0, 1);
  } else if (discount !== undefined) requireNumber("ngram.recent.discount", discount, 0, 1);
  if (strength !== undefined) requireNumber("ngram.recent.strength", strength, 1e-6, 1e6);
}

/** The caller's over the model's own. */
export function fittedNgram(own: NgramOption, given: NgramOption): NgramOption {
  return { ...own, ...defined(given), recent: { ...own.recent, ...defined(given.recent ?? {}) } };
}
