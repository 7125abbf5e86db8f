import type { RankedRow } from "./ranked-row.ts";

/** Least mass of "any other token": a list that seems to hold everything may still miss what the target takes. */
const LEAST_REST = 1e-6;

/** ln of the mass that a list of log-probabilities leaves to every other token. */
export function restOf(logProbs: ArrayLike<number>, count = logProbs.length): number {
  let mass = 0;
  for (let i = 0; i < count; i++) mass += Math.exp(logProbs[i]);
  return Math.log(Math.max(LEAST_REST, 1 - mass));
}

/**
 * ln of the sum of exp(beta * l) over a list and the rest: what makes a softmax at temperature 1 / beta of it. An entry of
 * -Infinity is padding.
 */
export function normaliser(logProbs: ArrayLike<number>, count: number, rest: number, beta: number): number {
  let highest = beta * rest;
  for (let i = 0; i < count; i++) highest = Math.max(highest, beta * logProbs[i]);
  let sum = Math.exp(beta * rest - highest);
  for (let i = 0; i < count; i++) sum += Math.exp(beta * logProbs[i] - highest);
  return highest + Math.log(sum);
}

/**
 * Turns the values of a row into log-probabilities at a temperature:
 *
 *     ln q_T(i) = l_i / T - ln( sum over j of exp(l_j / T) + exp(r / T) ),  l = value - logSumExp,  r = ln(1 - sum exp l)
 *
 * over the outcomes "this entry of the row", one each, and "any other token". The same for full logits and for a table,
 * which says of the other tokens only how much mass they hold together. In place.
 */
export function temper(row: RankedRow, logSumExp: number, temperature: number): void {
  const { values, count } = row;
  for (let i = 0; i < count; i++) values[i] = Math.min(0, values[i] - logSumExp);
  const beta = 1 / temperature;
  const total = normaliser(values, count, restOf(values, count), beta);
  for (let i = 0; i < count; i++) values[i] = beta * values[i] - total;
}
