import type { NgramModel } from "@diffuspec/ngram-scorer";

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
    const node = find(model, context, context.length - length);
    if (node === -1) continue;
    visit(length, node, backoff);
    backoff += model.levels[length - 1]!.backoff[node]!;
  }
  return backoff;
}

/** Index of the n-gram context[start..] in its level, or -1. */
function find({ levels, vocabularySize }: NgramModel, context: readonly number[], start: number): number {
  let node = context[start]!;
  if (!(node >= 0 && node < vocabularySize)) return -1;
  for (let i = start + 1; i < context.length && node !== -1; i++) {
    const { childStart } = levels[i - start - 1]!;
    const { tokens } = levels[i - start]!;
    let low = childStart[node]!;
    let high = childStart[node + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (tokens[middle]! < context[i]!) low = middle + 1;
      else high = middle;
    }
    node = low < childStart[node + 1]! && tokens[low] === context[i] ? low : -1;
  }
  return node;
}
