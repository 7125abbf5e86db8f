import type { LengthController } from "@diffuspec/contracts";
import { bad, isCount } from "./options.ts";

/** Always k; 0 never drafts. @throws ERR_OPTION */
export function createFixedLength(k: number): LengthController {
  if (!isCount(k)) throw bad("createFixedLength", "k", k, "it is an integer >= 0");
  return { name: "fixed", begin() {}, next: () => k, observe() {} };
}
