import { argmax } from "@diffuspec/contracts";
import { visitContexts } from "./contexts.ts";
import type { Level, NgramModel } from "./model.ts";

/** The most probable next id after the last ids of `context`. */
export type MostLikely = (context: readonly number[]) => number;

const made = new WeakMap<NgramModel, MostLikely>();

/**
 * Greedy decoding of an n-gram in a few look-ups; a model has one, made when first asked for. The best child of every stored context
 * is found once; the best next id is then the best over the orders of (back-offs so far + best child). For an interpolated model
 * this is the exact argmax: a child's own probability is never below what backing off would give it. Ties fall to the longer
 * context.
 */
export function mostLikely(model: NgramModel): MostLikely {
  const found = made.get(model) ?? createMostLikely(model);
  made.set(model, found);
  return found;
}

function createMostLikely(model: NgramModel): MostLikely {
  const bestUnigram = argmax(model.levels[0]!.logProb);
  /** best[m - 1][node]: index in level m of the best child of a context of m ids; -1 where it has none. */
  const best = model.levels.slice(0, model.order - 1).map((level, i) => bestChildren(level, model.levels[i + 1]!));

  return (context) => {
    let choice = -1;
    let height = Number.NEGATIVE_INFINITY;
    const backoff = visitContexts(model, context, (length, node, penalty) => {
      const child = best[length - 1]![node]!;
      const below = model.levels[length]!;
      if (child === -1 || penalty + below.logProb[child]! <= height) return;
      height = penalty + below.logProb[child]!;
      choice = below.tokens[child]!;
    });
    return backoff + model.levels[0]!.logProb[bestUnigram]! > height ? bestUnigram : choice;
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
