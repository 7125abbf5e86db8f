import { argmax } from "@diffuspec/contracts";
import type { Level, NgramModel } from "./model.ts";

export interface BestChildren {
  /** The most probable id without a context. */
  readonly unigram: number;
  /** after[m - 1][node]: index in level m of the most probable n-gram that goes on from a context of m ids; -1 where none does. */
  readonly after: readonly Int32Array[];
}

const known = new WeakMap<NgramModel, BestChildren>();

/** Found once for a model, when first asked for. */
export function bestChildren(model: NgramModel): BestChildren {
  const { levels, order } = model;
  const found = known.get(model) ?? {
    unigram: argmax(levels[0]!.logProb),
    after: levels.slice(0, order - 1).map((level, i) => bestOf(level, levels[i + 1]!)),
  };
  known.set(model, found);
  return found;
}

function bestOf({ childStart }: Level, { logProb }: Level): Int32Array {
  const best = new Int32Array(childStart.length - 1).fill(-1);
  for (let node = 0; node < best.length; node++) {
    const end = childStart[node + 1]!;
    for (let child = childStart[node]!; child < end; child++)
      if (best[node] === -1 || logProb[child]! > logProb[best[node]!]!) best[node] = child;
  }
  return best;
}
