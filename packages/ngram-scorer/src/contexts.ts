import { findNgram, type NgramModel } from "./model.ts";

/**
 * Calls `visit` for every context the model has, the last `length` ids of `context`, longest first: with its node in level
 * length - 1, whose children lie in level `length`, and the sum of the back-offs of the longer ones, natural log. Returns the
 * sum in front of the unigrams.
 */
export function visitContexts(
  model: NgramModel,
  context: readonly number[],
  visit: (length: number, node: number, backoff: number) => void,
): number {
  let backoff = 0;
  for (let length = Math.min(model.order - 1, context.length); length > 0; length--) {
    const node = findNgram(model, context, context.length - length, context.length);
    if (node === -1) continue;
    visit(length, node, backoff);
    backoff += model.levels[length - 1]!.backoff[node]!;
  }
  return backoff;
}
