/**
 * How many tokens to draft next: DiffuSpec's adaptive rule (Eq. 9 to 11), a fixed length, one that
 * follows the drafter's confidence, and one that maximises committed tokens per millisecond and may stop drafting.
 *
 * @module
 * @example
 * import { ADL_PAPER, createAdl } from "@diffuspec/adl";
 * const controller = createAdl(ADL_PAPER);
 * controller.begin();
 * controller.next({ limit: 100 }); // 30
 */
export { ADL_PAPER, ADL_TINY_JS, type AdlOptions, createAdl } from "./adl.ts";
export { CONFIDENCE_DEFAULTS, type ConfidenceOptions, createConfidence } from "./confidence.ts";
export { COST_AWARE_DEFAULTS, type CostAwareOptions, createCostAware } from "./cost-aware.ts";
export { createFixedLength } from "./fixed-length.ts";
export {
  createLengthTable,
  type LengthRow,
  type LengthTable,
  type OnRound,
  type RoundLog,
  withRoundLog,
} from "./round-log.ts";
