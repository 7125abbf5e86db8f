import type { LengthController } from "@diffuspec/contracts";
import { expectTypeOf, it } from "vitest";
import {
  ADL_PAPER,
  ADL_TINY_JS,
  type AdlOptions,
  CONFIDENCE_DEFAULTS,
  COST_AWARE_DEFAULTS,
  type ConfidenceOptions,
  type CostAwareOptions,
  createAdl,
  createConfidence,
  createCostAware,
  createFixedLength,
  createLengthTable,
  type LengthRow,
  type LengthTable,
  type OnRound,
  type RoundLog,
  withRoundLog,
} from "./index.ts";

/** Checked by tsc; vitest only runs through it. */
it("the public types", () => {
  expectTypeOf(createAdl).toEqualTypeOf<(options?: AdlOptions) => LengthController>();
  expectTypeOf(createCostAware).toEqualTypeOf<(options?: CostAwareOptions) => LengthController>();
  expectTypeOf(createConfidence).toEqualTypeOf<(options?: ConfidenceOptions) => LengthController>();
  expectTypeOf(CONFIDENCE_DEFAULTS).toExtend<Required<ConfidenceOptions>>();
  expectTypeOf(createFixedLength).toEqualTypeOf<(k: number) => LengthController>();
  expectTypeOf(ADL_PAPER).toExtend<Required<AdlOptions>>();
  expectTypeOf(ADL_TINY_JS).toExtend<Required<AdlOptions>>();
  expectTypeOf(ADL_PAPER.delta).toEqualTypeOf<10>();
  expectTypeOf(COST_AWARE_DEFAULTS).toEqualTypeOf<Required<CostAwareOptions>>();
  expectTypeOf<AdlOptions["averages"]>().toEqualTypeOf<"zero" | "corrected" | undefined>();

  expectTypeOf(withRoundLog).toEqualTypeOf<(controller: LengthController, onRound: OnRound) => LengthController>();
  expectTypeOf<OnRound>().toEqualTypeOf<(log: RoundLog) => void>();
  expectTypeOf(createLengthTable).returns.toEqualTypeOf<LengthTable>();
  expectTypeOf<LengthTable["add"]>().toEqualTypeOf<OnRound>();
  expectTypeOf<LengthTable["rows"]>().returns.toEqualTypeOf<LengthRow[]>();
  expectTypeOf<keyof RoundLog>().toEqualTypeOf<
    "generation" | "round" | "length" | "generated" | "accepted" | "rows" | "draftMs" | "verifyMs"
  >();

  // @ts-expect-error the paper's name of it
  const _name: AdlOptions = { k_min: 3 };
  // @ts-expect-error no such averages
  const _averages: AdlOptions = { averages: "none" };
  // @ts-expect-error k is a number
  expectTypeOf(createFixedLength).toBeCallableWith("5");
});
