import type { LengthController, RoundObservation } from "@diffuspec/contracts";
import { createAcceptance } from "./acceptance.ts";
import { createLineFit } from "./line-fit.ts";
import { bad, checkLimit, checkNames, checkRound } from "./options.ts";

export interface CostAwareOptions {
  /** Longest draft, an integer >= 1. */
  readonly kMax?: number;
  /** Length of the first two drafts, before estimates decide; an integer in 1..kMax. */
  readonly start?: number;
  /** Acceptance assumed of every token before anything is known, and by probes; 0 < prior < 1. */
  readonly prior?: number;
  /** Weight of the past per round in the acceptance counts, 0 < keepAcceptance < 1; 0.98 remembers some 50 rounds. */
  readonly keepAcceptance?: number;
  /** The same for the measured milliseconds. */
  readonly keepCost?: number;
  /** Share of the time of rounds without a draft that probes may waste, 0 < probeShare < 1. */
  readonly probeShare?: number;
  /**
   * Rounds without a draft after which a probe is made in any case, an integer >= 1; twice as many after each such probe that
   * lost, up to eight times.
   */
  readonly maxWait?: number;
}

export const COST_AWARE_DEFAULTS: Required<CostAwareOptions> = {
  kMax: 24,
  start: 4,
  prior: 0.7,
  keepAcceptance: 0.98,
  keepCost: 0.993,
  probeShare: 0.01,
  maxWait: 128,
};

/** No round is believed to be shorter. */
const CLOCK_MS = 1e-6;
/** The account, in tokens that plain decoding would have written in the time won: at the start, at most, and where drafting stops. */
const FIRST_CREDIT = 4;
const MOST_CREDIT = 16;
const LEAST_CREDIT = -10;
/** Rounds' worth of acceptance that a new generation begins with, and that a slump leaves. */
const KEPT_ROUNDS = 10;
const LEFT_ROUNDS = 5;
/** A slump is a loss, less what was won since it began, of this many rounds that accept nothing. */
const SLUMP = 8;
/** Drafts before estimates decide, and before the first plain round is measured. */
const FIRST_DRAFTS = 2;
/** Drafts between plain rounds: at first as many as FIRST_DRAFTS, then three times as many each time up to this. */
const PLAIN_EVERY = 256;
/** No draft is more than this many times as long as any whose cost was measured. */
const STRIDE = 2;
/** Plain rounds after which a draft is not taken for one among others: the drafter first reads what was written meanwhile. */
const RESUMED = 2;
/** Times maxWait that forced probes may come to lie apart. */
const MOST_PATIENCE = 8;
/** How much more a measured plain round counts than the verify line drawn out to k = 0. */
const PLAIN_TRUST = 3;

/**
 * Chooses the length with the most committed tokens per millisecond:
 *
 *     k = argmax over 0..min(kMax, limit) of (1 + sum over d <= k of prod over j <= d of a_j) / (draftMs(k) + verifyMs(k))
 *
 * a_j, the acceptance at depth j, comes from counts that fade; the costs from a line over k through what was measured, with
 * pauses cut off, and for k = 0 from rounds that did not draft: one after the first two drafts, then after 6, 18, ... 256. Ties
 * go to the shorter draft. No draft is more than twice as long as any before: costs are not read off far beyond what was seen.
 *
 * An account in tokens bounds what drafting may lose against plain decoding. A round with a draft books
 * 1 + accepted - cost(k) / cost(0), what it won or lost; a round without one books `probeShare`; it begins at 4 and never
 * holds more than 16. Where 0 is best a probe follows after 1, 2, 4, ... plain rounds once the account covers what it loses if
 * nothing is accepted, or after `maxWait` in any case, and after twice as many for each such probe that lost, up to eight times.
 * A probe that won halves the wait and may be followed by another at once; it has the length that would be best if every token
 * were accepted with `prior`. Below -10 the estimates are not believed any more, and only probes draft.
 *
 * A draft that follows two plain rounds or more is booked, and its probe paid, by a line of their own over the number of those
 * rounds: a drafter that reads the text first has more to read, which says nothing of what drafting in every round would cost.
 *
 * The acceptance of a better time is forgotten where the account falls, in one go, by what eight rounds lose that accept nothing.
 *
 * `begin` keeps costs, account and waits, some ten rounds' worth of acceptance and its long-run value at depth 1: a drafter that never
 * pays is not paid for anew in every generation. Rounds count with the length that was really asked, so a loop that cuts it does no
 * harm. Where the clock says 0 ms throughout, every token is free and the longest draft wins.
 *
 * @throws ERR_OPTION; `next` and `observe` throw ERR_CONTRACT for a number that is none
 */
export function createCostAware(options: CostAwareOptions = {}): LengthController {
  const { kMax, start, prior, keepAcceptance, keepCost, probeShare, maxWait } = checked(options);
  const acceptance = createAcceptance(kMax, keepAcceptance, prior);
  const draftCost = createLineFit(keepCost);
  const verifyCost = createLineFit(keepCost);
  const plainCost = createLineFit(keepCost);
  /** Of drafts after RESUMED plain rounds or more, over their number. */
  const resumeCost = createLineFit(keepCost);
  const hoped = Float64Array.from({ length: kMax + 1 }, (_, k) => (1 - prior ** (k + 1)) / (1 - prior));
  /** Drafts since a plain round was measured: its cost is trusted less and less against the line's. */
  let plainAge = 0;
  let drafts = 0;
  let credit = FIRST_CREDIT;
  /** What the rounds since the last high lost. */
  let slump = 0;
  /** The longest draft so far. */
  let longest = 0;
  let plainEvery = FIRST_DRAFTS;
  /** Plain rounds since the last draft, and how many there should be before a probe; also before one in any case. */
  let idle = 0;
  let wait = 1;
  let patience = maxWait;
  /** Plain rounds of this generation since the last draft. */
  let unread = 0;

  function cost(k: number): number {
    if (k > 0) return Math.max(CLOCK_MS, draftCost.at(k) + verifyCost.at(k));
    const trust = PLAIN_TRUST * plainCost.weight * keepCost ** plainAge;
    const mixed = (trust * plainCost.at(0) + verifyCost.at(0)) / (trust + 1);
    // A pass of fewer rows is not slower: a long plain round was a pause.
    return Math.max(CLOCK_MS, Math.min(mixed, verifyCost.mean));
  }

  /** What a draft costs here and now: one after plain rounds reads what they wrote, which the next one need not. */
  function costNow(k: number): number {
    if (unread < RESUMED) return cost(k);
    return Math.max(CLOCK_MS, Math.max(draftCost.at(k), resumeCost.at(unread)) + verifyCost.at(k));
  }

  /** Of least..limit, the length with the most of these tokens per millisecond. */
  function best(committed: Float64Array, least: number, limit: number): number {
    let choice = least;
    let bestRate = 0;
    for (let k = least; k <= limit; k++) {
      const rate = committed[k] / cost(k);
      if (rate > bestRate) {
        bestRate = rate;
        choice = k;
      }
    }
    return choice;
  }

  function observeDraft({ length, accepted, draftMs, verifyMs }: RoundObservation): void {
    const paying = best(acceptance.expected(), 0, kMax) > 0;
    longest = Math.max(longest, length);
    acceptance.add(length, accepted);
    const resumed = unread >= RESUMED;
    if (resumed) resumeCost.add(unread, draftMs);
    if (!resumed || draftMs < draftCost.at(length)) draftCost.add(length, draftMs);
    verifyCost.add(length, verifyMs);
    plainAge++;
    drafts++;
    const won = 1 + accepted - costNow(length) / cost(0);
    if (idle >= patience) patience = won > 0 ? maxWait : Math.min(MOST_PATIENCE * maxWait, 2 * patience);
    idle = unread = 0;
    credit = Math.min(MOST_CREDIT, credit + won);
    slump = Math.min(0, slump + won);
    if (slump < SLUMP * Math.min(0, 1 - cost(length) / cost(0))) {
      acceptance.forget(LEFT_ROUNDS);
      slump = 0;
    }
    if (paying) wait = 1;
    else if (won <= 0) wait = Math.min(maxWait, 2 * wait);
    else {
      wait = Math.max(1, Math.floor(wait / 2));
      idle = wait;
    }
  }

  return {
    name: "cost-aware",
    begin() {
      acceptance.forget(KEPT_ROUNDS);
      slump = 0;
      unread = 0;
    },
    next({ limit }) {
      checkLimit(limit);
      if (drafts < FIRST_DRAFTS) return Math.min(start, limit);
      const most = Math.min(kMax, limit, STRIDE * longest);
      if (most === 0 || plainAge >= plainEvery) return 0;
      const wanted = credit > LEAST_CREDIT ? best(acceptance.expected(), 0, most) : 0;
      if (wanted > 0) return wanted;
      const probe = best(hoped, 1, most);
      const due = idle >= patience || (idle >= wait && credit >= costNow(probe) / cost(0) - 1);
      return due ? probe : 0;
    },
    observe(round) {
      checkRound(round);
      if (round.length > 0) return observeDraft(round);
      plainCost.add(0, round.draftMs + round.verifyMs);
      if (plainAge >= plainEvery) plainEvery = Math.min(PLAIN_EVERY, 3 * plainEvery);
      plainAge = 0;
      idle++;
      unread++;
      acceptance.fade();
      credit = Math.min(MOST_CREDIT, credit + probeShare);
    },
  };
}

function checked(options: CostAwareOptions): Required<CostAwareOptions> {
  const refuse = (name: keyof CostAwareOptions, why: string) => bad("createCostAware", name, all[name], why);
  checkNames("createCostAware", options, COST_AWARE_DEFAULTS);
  const all = { ...COST_AWARE_DEFAULTS, ...options };
  if (!Number.isInteger(all.kMax) || all.kMax < 1) throw refuse("kMax", "it is an integer >= 1");
  if (!Number.isInteger(all.start) || all.start < 1 || all.start > all.kMax)
    throw refuse("start", `it is an integer in 1..kMax (${all.kMax})`);
  for (const name of ["prior", "keepAcceptance", "keepCost", "probeShare"] as const)
    if (!(all[name] > 0 && all[name] < 1)) throw refuse(name, "it is a number, 0 < x < 1");
  if (!Number.isInteger(all.maxWait) || all.maxWait < 1) throw refuse("maxWait", "it is an integer >= 1");
  return all;
}
