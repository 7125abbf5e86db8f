import type { TopM } from "@diffuspec/lattice";

export interface Coupling {
  /** M: entries of a row. */
  readonly top: number;
  /** Mass under q that is kept of a row: tau of Eq. 7. */
  readonly tau: number;
  /** Above 0. */
  readonly temperature: number;
  /** Weight of T times the noise. The search weighs the drafter by lambda; 1 / lambda gives the noise its full weight. */
  readonly gain: number;
  /** The sampler's Gumbel noise for a token at the row's absolute position. */
  readonly noise: (token: number) => number;
}

/**
 * Lets a draft follow a sampling target: the target takes argmax(ln p + T * g) with noise g that is a function of seed,
 * position and id, so a drafter that adds the same T * g to ln q agrees with it more often. What the target chose is not
 * looked at, so the output stays exact; and as T goes to 0 the draft becomes the greedy one.
 *
 * Entries of the row are sorted by ln q + gain * T * g. Of this order the shortest head is kept whose mass under q reaches
 * tau; so a flat q leaves the search a choice, however much the noise prefers one token. The rest becomes -Infinity, the
 * padding of a lattice's table. Scores become those of a softmax over the whole row, for a search needs log-probabilities.
 * In place.
 */
export function couple({ ids, logits, logSumExp }: TopM, row: number, coupling: Coupling): void {
  const { top, tau, temperature, gain, noise } = coupling;
  const start = row * top;
  const best = logits[start]!;
  const entries = Array.from({ length: top }, (_, m) => {
    const id = ids[start + m]!;
    const logit = logits[start + m]!;
    return { id, mass: Math.exp(logit - logSumExp[row]!), score: logit - best + gain * temperature * noise(id) };
  }).sort((a, b) => b.score - a.score || a.id - b.id);
  const highest = entries[0]!.score;
  let sum = 0;
  let mass = 0;
  for (const [m, entry] of entries.entries()) {
    ids[start + m] = entry.id;
    logits[start + m] = mass < tau ? entry.score - highest : Number.NEGATIVE_INFINITY;
    sum += Math.exp(entry.score - highest);
    mass += entry.mass;
  }
  logSumExp[row] = Math.log(sum);
}
