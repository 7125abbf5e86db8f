/** What the types promise; tsc is the judge, and runs over this file with the package. */
import type { LengthController } from "@diffuspec/contracts";
import { expectTypeOf, test } from "vitest";
import { createAdl, type createCostAware, createFixedLength } from "./index.ts";

test("every controller is the contracts' LengthController", () => {
  expectTypeOf<ReturnType<typeof createAdl>>().toExtend<LengthController>();
  expectTypeOf<ReturnType<typeof createCostAware>>().toExtend<LengthController>();
  expectTypeOf<ReturnType<typeof createFixedLength>>().toExtend<LengthController>();
  expectTypeOf(createFixedLength).parameters.toEqualTypeOf<[number]>();
  // @ts-expect-error options are known by name
  void (() => createAdl({ kmin: 3 }));
});
