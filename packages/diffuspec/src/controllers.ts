import { ADL_PAPER, ADL_TINY_JS, createAdl, createCostAware, createFixedLength } from "@diffuspec/adl";
import type { LengthController } from "@diffuspec/contracts";
import type { LengthControllerOption } from "./options.ts";

/** The named controller; every session gets its own. */
export function createController(option: LengthControllerOption): LengthController {
  if (typeof option === "object") return createFixedLength(option.fixed);
  switch (option) {
    case "adl-paper":
      return createAdl(ADL_PAPER);
    case "adl":
      return createAdl(ADL_TINY_JS);
    case "cost-aware":
      return createCostAware();
  }
}
