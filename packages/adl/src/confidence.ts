import type { LengthController } from "@diffuspec/contracts";
import { bad, checkNames, checkRound } from "./options.ts";

export interface ConfidenceOptions {
  /** Tokens asked for beyond those the drafter was sure of last time, an integer >= 1. */
  readonly delta?: number;
  /** Bounds of k, integers, 1 <= kMin <= kMax. A generation begins at kMax. */
  readonly kMin?: number;
  readonly kMax?: number;
}

export const CONFIDENCE_DEFAULTS = { delta: 4, kMin: 4, kMax: 24 } as const satisfies ConfidenceOptions;

/**
 * Extends while the drafter is confident:
 *
 *     k_(t+1) = clip(drafted_t + delta, kMin, kMax)
 *
 * drafted_t is the length at which the drafter, or the path search behind it, ended its draft because more had become
 * unlikely (`cut`); where it did not, the draft may be longer next time. What is accepted plays no part.
 *
 * The decision how much to verify is the cut's; this one saves a drafter positions that the cut would throw away. Of a
 * drafter that never ends a draft by itself it asks for kMax.
 *
 * @throws ERR_OPTION; `observe` throws ERR_CONTRACT for a number that is none
 */
export function createConfidence(options: ConfidenceOptions = {}): LengthController {
  checkNames("createConfidence", options, CONFIDENCE_DEFAULTS);
  const { delta, kMin, kMax } = { ...CONFIDENCE_DEFAULTS, ...options };
  if (!Number.isInteger(delta) || delta < 1)
    throw bad("createConfidence", "delta", delta, "it is an integer >= 1; without it k would never grow");
  if (!Number.isInteger(kMin) || kMin < 1) throw bad("createConfidence", "kMin", kMin, "it is an integer >= 1");
  if (!Number.isInteger(kMax) || kMax < kMin)
    throw bad("createConfidence", "kMax", kMax, `it is an integer >= kMin (${kMin})`);
  let k: number = kMax;
  return {
    name: "confidence",
    begin() {
      k = kMax;
    },
    next: () => k,
    observe(round) {
      checkRound(round);
      if (round.length > 0) k = Math.min(kMax, Math.max(kMin, round.drafted + delta));
    },
  };
}
