import type { Sampler } from "@diffuspec/contracts";
import { type NgramModel, visitContexts } from "@diffuspec/ngram-scorer";

/** The ids that ln p / temperature + noise puts first, best first, with p the n-gram's; `position` is that of the next id. */
export type CoupledNext = (context: readonly number[], position: number, sampler: Sampler) => number[];

/** Ids given. */
const WIDTH = 4;
/** Unigrams looked at. */
const COMMON = 64;
/** Nats of ln p / temperature below the best id's at which an id is taken to have no chance, however lucky its noise. */
const REACH = 9;

/**
 * Follows a sampling target: it takes argmax(ln p / T + g) with noise g that is a function of seed, position and id, so the
 * n-gram that adds the same g to its own ln p agrees with it more often than its most probable id does.
 */
export function createCoupledNext(model: NgramModel): CoupledNext {
  const unigrams = model.levels[0]!;
  /** The likeliest unigrams; sorted when first needed, for most generations are greedy. */
  let common: number[] | undefined;

  return (context, position, sampler) => {
    const ids: number[] = [];
    const scores: number[] = [];
    let likeliest = Number.NEGATIVE_INFINITY;
    const consider = (id: number, logProb: number) => {
      const base = logProb / sampler.temperature;
      if (base > likeliest) likeliest = base;
      // An id of a longer context comes first, and its probability there is the one that counts.
      if (base < likeliest - REACH || ids.includes(id)) return;
      const score = base + sampler.noise(position, id);
      let at = ids.length;
      while (at > 0 && scores[at - 1]! < score) at--;
      if (at === WIDTH) return;
      ids.splice(at, 0, id);
      scores.splice(at, 0, score);
      ids.length = scores.length = Math.min(WIDTH, ids.length);
    };
    const backoff = visitContexts(model, context, (length, node, penalty) => {
      const { childStart } = model.levels[length - 1]!;
      const { tokens, logProb } = model.levels[length]!;
      for (let child = childStart[node]!; child < childStart[node + 1]!; child++)
        consider(tokens[child]!, penalty + logProb[child]!);
    });
    common ??= Array.from(unigrams.logProb.keys())
      .sort((a, b) => unigrams.logProb[b]! - unigrams.logProb[a]!)
      .slice(0, COMMON);
    for (const id of common) consider(id, backoff + unigrams.logProb[id]!);
    return ids;
  };
}

/**
 * The chance that the best of such ids is what the target samples, by how far it is ahead of the second in
 * ln p / T + g. A logistic curve through what tiny-js and SmolLM2-135M sampled at temperature 0.7 (docs/log.md).
 */
export const chanceOf = (lead: number): number => 1 / (1 + Math.exp(1.6 - 0.55 * lead));
