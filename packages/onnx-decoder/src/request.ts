import { causalBias } from "./bias.ts";
import type { Decoder, PassRequest } from "./decoder.ts";
import { rowRange } from "./rows.ts";

/** The request of a chain behind `past` cache rows, for a chain graph and a tree graph alike; every row sees the LM head. */
export function chainRequest(decoder: Decoder, past: number, ids: Int32Array, fetch: readonly string[]): PassRequest {
  return {
    ids,
    rows: rowRange(0, ids.length),
    fetch,
    ...(decoder.inputs.has("attention_bias") && { bias: causalBias(ids.length, past) }),
    ...(decoder.inputs.has("position_ids") && { positions: rowRange(past, past + ids.length) }),
  };
}
