import type { LengthController } from "@diffuspec/contracts";
import { seededRandom } from "@diffuspec/testkit";

/** A made-up machine and drafter. Milliseconds are simulated; nothing here looks at a clock. */
export interface World {
  /** Acceptance at a depth (from 1), given that the depth before was accepted. */
  accept(depth: number, round: number): number;
  /** Milliseconds of a draft of k tokens, k >= 1, and of verifying it, k >= 0. */
  draftMs(k: number, round: number): number;
  verifyMs(k: number, round: number): number;
  /** What a draft costs more for reading what was written since the last one, `idle` rounds ago; default 0. */
  resumeMs?(idle: number): number;
  /** Tokens after which the drafter ends a draft by itself; default never. */
  sure?(round: number): number;
}

export interface SimulatedRound {
  readonly length: number;
  readonly tokens: number;
  /** Without the noise that the controller saw, so that a lucky measurement is no merit. */
  readonly ms: number;
}

export interface SimulationOptions {
  readonly tokens: number;
  /** Tokens of one generation; default all of them. */
  readonly perPrompt?: number;
  readonly seed: number;
  readonly noisy?: boolean;
}

/**
 * Generations of `perPrompt` tokens each, until `tokens` are written. Times are seen with 20 % noise and, once in a hundred
 * rounds, a pause of three times the cost on top.
 */
export function simulate(
  controller: LengthController,
  { accept, draftMs, verifyMs, resumeMs = () => 0, sure = () => Number.POSITIVE_INFINITY }: World,
  { tokens: wanted, perPrompt = wanted, seed, noisy = true }: SimulationOptions,
): SimulatedRound[] {
  const random = seededRandom(seed);
  const noise = () => (noisy ? 0.8 + 0.4 * random() + (random() < 0.01 ? 3 : 0) : 1);
  const rounds: SimulatedRound[] = [];
  let [tokens, left, idle] = [0, 0, 0];
  while (tokens < wanted) {
    if (left <= 0) {
      controller.begin();
      left = perPrompt;
      idle = 0;
    }
    const round = rounds.length;
    const limit = left - 1;
    const length = limit > 0 ? Math.min(controller.next({ limit }), limit) : 0;
    const drafted = Math.min(length, sure(round));
    let accepted = 0;
    while (accepted < drafted && random() < accept(accepted + 1, round)) accepted++;
    const drafting = length > 0 ? draftMs(length, round) + resumeMs(idle) : 0;
    idle = length > 0 ? 0 : idle + 1;
    const verifying = verifyMs(drafted, round);
    controller.observe({
      length,
      drafted,
      generatedLength: length,
      accepted,
      rows: length + 1,
      draftMs: drafting * noise(),
      verifyMs: verifying * noise(),
    });
    rounds.push({ length, tokens: accepted + 1, ms: drafting + verifying });
    tokens += accepted + 1;
    left -= accepted + 1;
  }
  return rounds;
}

/** Tokens per millisecond. */
export function speed(rounds: readonly SimulatedRound[]): number {
  return rounds.reduce((sum, { tokens }) => sum + tokens, 0) / rounds.reduce((sum, { ms }) => sum + ms, 0);
}

/** Tokens per millisecond of always drafting k tokens in a world that stays as it is at `round`. */
export function rateOf(k: number, { accept, draftMs, verifyMs }: World, round = 0): number {
  let survival = 1;
  let tokens = 1;
  for (let depth = 1; depth <= k; depth++) {
    survival *= accept(depth, round);
    tokens += survival;
  }
  return tokens / ((k > 0 ? draftMs(k, round) : 0) + verifyMs(k, round));
}

export function bestFixed(world: World, kMax: number, round = 0): { k: number; rate: number } {
  const rates = Array.from({ length: kMax + 1 }, (_, k) => rateOf(k, world, round));
  const rate = Math.max(...rates);
  return { k: rates.indexOf(rate), rate };
}
