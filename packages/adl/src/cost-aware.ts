import type { LengthController, RoundObservation } from "@diffuspec/contracts";
import { createAcceptance } from "./acceptance.ts";
import { createLineFit } from "./line-fit.ts";
import { bad, checkLimit, checkNames, checkRound } from "./options.ts";

export interface CostAwareOptions {
  /** Longest draft, an integer >= 1. */
  readonly kMax?: number;
  /** Length of the first draft, while no cost is known, and of a probe; an integer in 1..kMax. */
  readonly start?: number;
  /** Acceptance assumed of the first token before anything is known, 0 < prior < 1. */
  readonly prior?: number;
  /** Weight of the past per round in the acceptance counts, 0 < keepAcceptance < 1; 0.96 remembers some 25 rounds. */
  readonly keepAcceptance?: number;
  /** The same for the measured milliseconds. */
  readonly keepCost?: number;
  /** Most rounds without a draft before drafting is tried again, an integer >= 1. */
  readonly maxWait?: number;
}

export const COST_AWARE_DEFAULTS: Required<CostAwareOptions> = {
  kMax: 24,
  start: 8,
  prior: 0.7,
  keepAcceptance: 0.96,
  keepCost: 0.98,
  maxWait: 128,
};

/** No round is believed to be shorter. */
const CLOCK_MS = 1e-6;

/**
 * Chooses the length with the most committed tokens per millisecond:
 *
 *     k = argmax over 0..min(kMax, limit) of (1 + sum over d <= k of prod over j <= d of a_j) / (draftMs(k) + verifyMs(k))
 *
 * a_j, the acceptance at depth j, comes from counts that fade; the costs from a line over k through what was measured, and
 * for k = 0 from rounds that did not draft. Ties go to the shorter draft.
 *
 * Where 0 is best it waits before it probes with a draft of `start`: one round, then twice as many each time up to `maxWait`.
 * A probe that paid (it committed tokens faster than plain decoding would have) halves the wait and is followed by another at
 * once. Counts fade while it waits, down to the long-run acceptance of the first token, so that a few probes suffice to
 * resume, and a hopeless drafter is not tried again for having been forgotten.
 *
 * `begin` forgets acceptance and wait, and keeps the costs. Rounds count with the length that was really asked, so a loop
 * that cuts it does no harm. Where the clock says 0 ms throughout, every token is free and the longest draft wins.
 *
 * @throws ERR_OPTION; `next` and `observe` throw ERR_CONTRACT for a number that is none
 */
export function createCostAware(options: CostAwareOptions = {}): LengthController {
  const { kMax, start, prior, keepAcceptance, keepCost, maxWait } = checked(options);
  const acceptance = createAcceptance(kMax, keepAcceptance, prior);
  const draftCost = createLineFit(keepCost);
  const verifyCost = createLineFit(keepCost);
  const plainCost = createLineFit(keepCost);
  /** Rounds since a plain one was measured: its cost is trusted less and less against the line's. */
  let plainAge = 0;
  /** Plain rounds that the next drought begins with. */
  let wait = 1;
  /** In a drought: plain rounds left before the probe. Undefined: drafting as usual. */
  let drought: number | undefined;

  function cost(k: number): number {
    const line = draftCost.at(k) + verifyCost.at(k);
    if (k > 0) return line;
    const trust = plainCost.weight * keepCost ** plainAge;
    return (trust * plainCost.at(0) + verifyCost.at(0)) / (trust + 1);
  }

  function best(limit: number): number {
    const committed = acceptance.expected();
    let choice = 0;
    let bestRate = 0;
    for (let k = 0; k <= limit; k++) {
      const rate = committed[k] / Math.max(cost(k), CLOCK_MS);
      if (rate > bestRate) {
        bestRate = rate;
        choice = k;
      }
    }
    return choice;
  }

  function beginDrought(): void {
    drought = wait;
    wait = Math.min(maxWait, wait * 2);
  }

  function observeDraft({ length, accepted, draftMs, verifyMs }: RoundObservation): void {
    acceptance.add(length, accepted);
    draftCost.add(length, draftMs);
    verifyCost.add(length, verifyMs);
    plainAge++;
    const paid = (1 + accepted) * cost(0) > cost(length);
    if (paid) wait = Math.max(1, Math.floor(wait / 2));
    if (best(kMax) > 0) drought = undefined;
    else if (drought !== undefined && paid) drought = 0;
    else beginDrought();
  }

  return {
    name: "cost-aware",
    begin() {
      acceptance.reset();
      wait = 1;
      drought = undefined;
    },
    next({ limit }) {
      checkLimit(limit);
      const most = Math.min(kMax, limit);
      if (drought !== undefined && drought > 0) return 0;
      if (drought === 0 || draftCost.weight === 0) return Math.min(start, most);
      return best(most);
    },
    observe(round) {
      checkRound(round);
      if (round.length > 0) return observeDraft(round);
      plainCost.add(0, round.draftMs + round.verifyMs);
      plainAge = 0;
      acceptance.fade();
      if (drought !== undefined && drought > 0) drought--;
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
  for (const name of ["prior", "keepAcceptance", "keepCost"] as const)
    if (!(all[name] > 0 && all[name] < 1)) throw refuse(name, "it is a number, 0 < x < 1");
  if (!Number.isInteger(all.maxWait) || all.maxWait < 1) throw refuse("maxWait", "it is an integer >= 1");
  return all;
}
