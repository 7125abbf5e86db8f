import { CONFIDENCE_DEFAULTS, type ConfidenceOptions, createConfidence } from "@diffuspec/adl";
import { optionError, refuseUnknown, requireInteger } from "./checks.ts";

/**
 * Who chooses the draft length: Eq. 9-11 with the paper's numbers, with numbers for small models, the measured cost, the
 * drafter (where it ended its last draft), with the constants of @diffuspec/adl or yours, or you.
 * "auto" decides by generation: where the temperature is 0 or the n-gram drafts ("hybrid", "ngram") what the model says suits drafters
 * that end their drafts themselves ("hybrid", "ngram", "dlm"), "adl" where it says nothing and for the others; else "cost-aware".
 */
export type LengthControllerOption =
  | (typeof CONTROLLER_NAMES)[number]
  | { readonly fixed: number }
  | { readonly confidence: ConfidenceOptions };
const CONTROLLER_NAMES = ["auto", "adl", "adl-paper", "cost-aware", "confidence"] as const;

/** @throws ERR_OPTION */
export function checkLengthController(value: LengthControllerOption): void {
  if (typeof value !== "object" || value === null) {
    if (CONTROLLER_NAMES.includes(value)) return;
    const rule =
      'one of "auto", "adl", "adl-paper", "cost-aware", "confidence", { fixed: k }, { confidence: { delta, kMin, kMax } }';
    throw optionError("lengthController", value, rule);
  }
  refuseUnknown("lengthController", value, ["fixed", "confidence"]);
  if (Object.keys(value).length !== 1)
    throw optionError("lengthController", value, "an object with either fixed or confidence");
  if ("fixed" in value) requireInteger("lengthController.fixed", value.fixed, 0, 1023);
  else {
    refuseUnknown("lengthController.confidence", value.confidence, Object.keys(CONFIDENCE_DEFAULTS));
    createConfidence(value.confidence); // which checks them
  }
}
