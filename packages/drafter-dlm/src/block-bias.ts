import { UNSEEN } from "@diffuspec/onnx-decoder";

/**
 * Attention bias of block-causal drafting, row-major [known + masks, past + known + masks]: the known ids see the cache and
 * the ids up to themselves; the ids of the block see everything, each other included.
 */
export function blockBias(known: number, masks: number, past: number): Float32Array {
  const total = past + known + masks;
  const out = new Float32Array((known + masks) * total);
  for (let i = 0; i < known; i++) out.fill(UNSEEN, i * total + past + i + 1, (i + 1) * total);
  return out;
}
