import type { LengthController } from "@diffuspec/contracts";
import { requireInteger } from "./options.ts";

/** Always asks for the same number of draft tokens; 0 is plain decoding. @throws ERR_OPTION */
export function fixedLength(length: number): LengthController {
  requireInteger("length", length, 0);
  return { name: `fixed-${length}`, begin() {}, next: () => length, observe() {} };
}
