import type { Sampler } from "@diffuspec/contracts";
import type { TopM } from "@diffuspec/lattice";

/**
 * Lets a draft follow a sampling target: the target takes argmax(ln p / T + g) with noise g that is a function of seed,
 * position and id, so a drafter that adds the same g to ln q / T agrees with it more often. What the target chose is not
 * looked at, so the output stays exact.
 *
 * Each row becomes the softmax of ln q / T + gain * g over its entries. The gain makes up for a search that weighs the
 * drafter by lambda: 1 / lambda gives the noise its full weight.
 *
 * @param position absolute index of the token of row 0
 */
export function couple(table: TopM, top: number, sampler: Sampler, position: number, gain: number): TopM {
  const depth = table.logSumExp.length;
  const ids = new Int32Array(depth * top);
  const logits = new Float32Array(depth * top);
  const logSumExp = new Float32Array(depth);
  for (let i = 0; i < depth; i++) {
    const entries = Array.from({ length: top }, (_, m) => {
      const id = table.ids[i * top + m]!;
      const logProb = table.logits[i * top + m]! - table.logSumExp[i]!;
      return { id, score: logProb / sampler.temperature + gain * sampler.noise(position + i, id) };
    }).sort((a, b) => b.score - a.score || a.id - b.id);
    let sum = 0;
    for (const [m, { id, score }] of entries.entries()) {
      ids[i * top + m] = id;
      logits[i * top + m] = score;
      sum += Math.exp(score - entries[0]!.score);
    }
    logSumExp[i] = entries[0]!.score + Math.log(sum);
  }
  return { ids, logits, logSumExp };
}
