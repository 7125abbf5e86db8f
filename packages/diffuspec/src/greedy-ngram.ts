import { argmax } from "@diffuspec/contracts";
import type { Level, NgramModel } from "@diffuspec/ngram-scorer";

/** The most probable next id after the last ids of `context`. */
export type GreedyNext = (context: readonly number[]) => number;

/**
 * Greedy decoding of an n-gram in a few look-ups. The best child of every stored context is found once; the best next id is
 * then the best over the orders of (back-offs so far + best child). For an interpolated model this is the exact argmax: a
 * child's own probability is never below what backing off would give it. Ties fall to the longer context.
 */
export function createGreedyNext(model: NgramModel): GreedyNext {
  const span = model.order - 1;
  const bestUnigram = argmax(model.levels[0]!.logProb);
  /** best[m - 1][node]: index in level m of the best child of a context of m ids; -1 where it has none. */
  const best = model.levels.slice(0, span).map((level, i) => bestChildren(level, model.levels[i + 1]!));

  return (context) => {
    let choice = -1;
    let height = Number.NEGATIVE_INFINITY;
    let penalty = 0;
    for (let m = Math.min(span, context.length); m > 0; m--) {
      const node = find(model, context, context.length - m);
      if (node === -1) continue;
      const child = best[m - 1]![node]!;
      const below = model.levels[m]!;
      if (child !== -1 && penalty + below.logProb[child]! > height) {
        height = penalty + below.logProb[child]!;
        choice = below.tokens[child]!;
      }
      penalty += model.levels[m - 1]!.backoff[node]!;
    }
    return penalty + model.levels[0]!.logProb[bestUnigram]! > height ? bestUnigram : choice;
  };
}

function bestChildren({ childStart }: Level, below: Level): Int32Array {
  const best = new Int32Array(childStart.length - 1).fill(-1);
  for (let node = 0; node < best.length; node++) {
    const first = childStart[node]!;
    const at = argmax(below.logProb.subarray(first, childStart[node + 1]));
    if (at !== -1) best[node] = first + at;
  }
  return best;
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
