import type { LengthController } from "@diffuspec/contracts";
import { bad, checkNames, checkRound } from "./options.ts";

export interface AdlOptions {
  /** Smoothing: weight of the newest round in both averages, 0 < rho <= 1. */
  readonly rho?: number;
  /**
   * How the averages begin. "zero" (as printed): at 0, which they leave only slowly. "corrected": divided by
   * 1 - (1 - rho)^t after t rounds, so that the first round counts in full.
   */
  readonly averages?: "zero" | "corrected";
  /** Tokens added while acceptance keeps up with generation, >= 0. */
  readonly delta?: number;
  /** Bounds of k, integers, 1 <= kMin <= kMax. */
  readonly kMin?: number;
  readonly kMax?: number;
}

/** The paper's constants, for a 7B drafter and a 32B target on one large GPU. */
export const ADL_PAPER = { rho: 0.5, averages: "zero", delta: 10, kMin: 20, kMax: 30 } as const satisfies AdlOptions;

/** Fitted to the embedded tiny-js pair, whose drafts a path search cuts where they become unlikely: k only bounds them. */
export const ADL_TINY_JS = { rho: 0.5, averages: "zero", delta: 2, kMin: 8, kMax: 10 } as const satisfies AdlOptions;

/**
 * DiffuSpec's adaptive draft length (Eq. 9 to 11):
 *
 *     L_gen_t = min(s_t - 1, k_t), s_t the index of the first EOS of the raw argmax draft      (9)
 *     Lg_t = (1 - rho) Lg_(t-1) + rho L_gen_t;  La_t likewise from the accepted length         (10)
 *     k_(t+1) = clip(Lg_t + delta * [La_t >= Lg_t], kMin, kMax)                                (11)
 *
 * with Lg_0 = La_0 = 0 and k_1 = kMax, as printed; k is floored, which the paper leaves open. k_t of Eq. 9 is the length that
 * was drafted, also where the loop cut what was asked. Rounds without a draft change nothing.
 *
 * Known behaviour: with the paper's constants k is kMin nearly always. Lg follows the k that was drafted, the zero start halves it
 * at once, and La reaches it only where nearly everything is accepted round after round.
 *
 * @throws ERR_OPTION; `observe` throws ERR_CONTRACT for a number that is none
 */
export function createAdl(options: AdlOptions = {}): LengthController {
  checkNames("createAdl", options, ADL_PAPER);
  const { rho, averages, delta, kMin, kMax } = { ...ADL_PAPER, ...options };
  if (!(rho > 0 && rho <= 1)) throw bad("createAdl", "rho", rho, "it is a weight, 0 < rho <= 1");
  if (averages !== "zero" && averages !== "corrected")
    throw bad("createAdl", "averages", averages, 'it is "zero" or "corrected"');
  if (!(delta >= 0 && delta < Number.POSITIVE_INFINITY)) throw bad("createAdl", "delta", delta, "it is a number >= 0");
  if (!Number.isInteger(kMin) || kMin < 1)
    throw bad("createAdl", "kMin", kMin, "it is an integer >= 1; a length of 0 would never be left again");
  if (!Number.isInteger(kMax) || kMax < kMin)
    throw bad("createAdl", "kMax", kMax, `it is an integer >= kMin (${kMin})`);
  let generated = 0;
  let accepted = 0;
  /** (1 - rho)^t: what the zeros at the start still weigh. */
  let zeros = 1;
  let k: number = kMax;

  return {
    name: "adl",
    begin() {
      generated = accepted = 0;
      zeros = 1;
      k = kMax;
    },
    next: () => k,
    observe(round) {
      checkRound(round);
      if (round.length === 0) return;
      generated += rho * (Math.min(round.generatedLength, round.length) - generated);
      accepted += rho * (round.accepted - accepted);
      zeros *= 1 - rho;
      const seen = averages === "zero" ? 1 : 1 - zeros;
      const wanted = generated / seen + (accepted >= generated ? delta : 0);
      k = Math.floor(Math.min(kMax, Math.max(kMin, wanted)));
    },
  };
}
