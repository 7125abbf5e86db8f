import { DiffuSpecError, type Lattice } from "@diffuspec/contracts";
import { normaliser, restOf } from "./temperature.ts";

/** One position of one draft, and what the target wrote there. */
export interface CalibrationRow {
  /** From 0: the first drafted token. */
  readonly position: number;
  /** ln q of the best entries at temperature 1, under the drafter's full softmax; -Infinity is padding. */
  readonly logProbs: ArrayLike<number>;
  /** The entry that the target took; -1 where it took another token. */
  readonly chosen: number;
}

export interface FitOptions {
  /** Bounds of every temperature, 0 < least <= 1 <= most. */
  readonly least?: number;
  readonly most?: number;
  /** How strongly a position is drawn to the one before it (the first: to 1), >= 0; about as much as this many rows. */
  readonly pull?: number;
}

export const FIT_DEFAULTS: Required<FitOptions> = { least: 0.25, most: 4, pull: 1 };

export interface CalibratedPosition {
  readonly temperature: number;
  readonly rows: number;
  /** Mean negative log-likelihood of what the target took, nats per row; 0 where there are no rows. */
  readonly lossBefore: number;
  readonly lossAfter: number;
}

export interface Calibration {
  /** By position, for the option `temperatures` of a lattice. */
  readonly temperatures: readonly number[];
  readonly positions: readonly CalibratedPosition[];
}

/** Beyond this a position is a mistake: no tree is deeper. */
const MOST_POSITIONS = 1024;
/** A half-precision table may exceed a mass of 1 by this much. */
const ROUNDING = 0.05;

/**
 * The rows that one draft gives. `continuation` holds the tokens that the target wrote from the draft's first position on,
 * accepted or not: a position's candidates were drafted without knowledge of each other, so each can be compared. The lattice
 * should be built with `tau: 1`, the `maxCandidates` of later use and no temperatures.
 *
 * @returns rows of their own arrays, as many as both are long
 */
export function calibrationRows(lattice: Lattice, continuation: ArrayLike<number>): CalibrationRow[] {
  return Array.from({ length: Math.min(lattice.depth, continuation.length) }, (_, position) => {
    const [start, end] = [lattice.offsets[position], lattice.offsets[position + 1]];
    const chosen = lattice.tokens.subarray(start, end).indexOf(continuation[position]);
    return { position, logProbs: lattice.logProbs.slice(start, end), chosen };
  });
}

/**
 * One temperature per position that makes what the target wrote most likely: minimises over beta = 1 / T
 *
 *     sum over rows of [ ln( sum over j of exp(beta * l_j) + exp(beta * r) ) - beta * l_chosen ] + pull / 2 * (beta - beta of the position before)^2
 *
 * with r = ln(1 - sum of exp l), the outcome "any other token". It is convex in beta: log-sum-exp of linear functions, less a
 * linear one, plus a square. Newton's method on its derivative, kept inside a bracket that halves where a step would leave it.
 * A temperature whose optimum lies beyond a bound is the bound; a position without rows takes that of the one before.
 *
 * Rows are read once, and kept until it returns.
 *
 * @throws ERR_OPTION for a bad option or no rows at all; ERR_CONTRACT for a row that is no distribution
 */
export function fitTemperatures(rows: Iterable<CalibrationRow>, options: FitOptions = {}): Calibration {
  const { least, most, pull } = checked(options);
  const byPosition: Row[][] = [];
  let count = 0;
  for (const row of rows) {
    const { position, ...kept } = readRow(row, count++);
    while (byPosition.length <= position) byPosition.push([]);
    byPosition[position].push(kept);
  }
  if (count === 0) throw refuse("rows", "empty", "a temperature is fitted to at least one row");
  let beta = 1;
  const positions = byPosition.map((own): CalibratedPosition => {
    beta = minimise(own, { low: 1 / most, high: 1 / least, centre: beta, pull });
    const rows = own.length;
    return { temperature: 1 / beta, rows, lossBefore: loss(own, 1), lossAfter: loss(own, beta) };
  });
  return { temperatures: positions.map(({ temperature }) => temperature), positions };
}

interface Row {
  readonly logProbs: Float64Array;
  readonly rest: number;
  /** l of what the target took. */
  readonly taken: number;
}

/** Where the derivative of the convex loss is 0, or the end of the bracket on its side. */
function minimise(
  rows: readonly Row[],
  { low, high, centre, pull }: { low: number; high: number; centre: number; pull: number },
): number {
  const start = Math.min(high, Math.max(low, centre));
  if (rows.length === 0) return start;
  /** First and second derivative of the loss. */
  const derivatives = (beta: number) => {
    let slope = pull * (beta - centre);
    let curve = pull;
    for (const { logProbs, rest, taken } of rows) {
      const total = normaliser(logProbs, logProbs.length, rest, beta);
      const share = Math.exp(beta * rest - total);
      let mean = share * rest;
      let square = mean * rest;
      for (const l of logProbs) {
        const term = Math.exp(beta * l - total) * l;
        mean += term;
        square += term * l;
      }
      slope += mean - taken;
      curve += square - mean * mean;
    }
    return { slope, curve };
  };
  if (derivatives(low).slope >= 0) return low;
  if (derivatives(high).slope <= 0) return high;
  let [below, above, beta] = [low, high, start];
  for (let step = 0; step < 100 && above - below > 1e-9; step++) {
    const { slope, curve } = derivatives(beta);
    if (slope === 0) return beta;
    if (slope > 0) above = beta;
    else below = beta;
    const next = beta - slope / curve;
    const inside = next > below && next < above;
    if (inside && Math.abs(next - beta) < 1e-10) return next;
    beta = inside ? next : (below + above) / 2;
  }
  return beta;
}

function loss(rows: readonly Row[], beta: number): number {
  let sum = 0;
  for (const { logProbs, rest, taken } of rows) sum += normaliser(logProbs, logProbs.length, rest, beta) - beta * taken;
  return rows.length === 0 ? 0 : sum / rows.length;
}

function readRow({ position, logProbs, chosen }: CalibrationRow, index: number): Row & { position: number } {
  const unusable = (why: string) =>
    new DiffuSpecError({
      code: "ERR_CONTRACT",
      what: `Calibration row ${index} cannot be used`,
      why,
      next: "calibrationRows() of @diffuspec/lattice makes valid rows.",
      details: { row: index },
    });
  if (!Number.isInteger(position) || position < 0 || position >= MOST_POSITIONS)
    throw unusable(`its position is ${position}, which should be an integer in 0..${MOST_POSITIONS - 1}`);
  const all = Array.from(logProbs);
  const bad = all.find((l) => !(l <= ROUNDING));
  if (bad !== undefined) throw unusable(`${bad} is no log-probability`);
  const mass = all.reduce((sum, l) => sum + Math.exp(l), 0);
  if (mass > 1 + ROUNDING) throw unusable(`its probabilities add up to ${mass}`);
  if (!Number.isInteger(chosen) || chosen < -1 || chosen >= all.length)
    throw unusable(`chosen is ${chosen}, which should be -1 or an index of its ${all.length} entries`);
  // Padding has no share in any sum, and 0 * -Infinity would be NaN.
  const own = Float64Array.from(all.filter((l) => l > Number.NEGATIVE_INFINITY).map((l) => Math.min(0, l)));
  const rest = restOf(own);
  const taken = chosen === -1 ? rest : Math.min(0, all[chosen]);
  if (taken === Number.NEGATIVE_INFINITY) throw unusable("the entry that was chosen is padding");
  return { position, logProbs: own, rest, taken };
}

function checked(options: FitOptions): Required<FitOptions> {
  for (const name of Object.keys(options))
    if (!(name in FIT_DEFAULTS)) throw refuse(name, "given", `the options are ${Object.keys(FIT_DEFAULTS).join(", ")}`);
  const all = { ...FIT_DEFAULTS, ...options };
  if (!(all.least > 0 && all.least <= 1)) throw refuse("least", all.least, "it is a temperature, 0 < least <= 1");
  if (!(all.most >= 1 && all.most < Number.POSITIVE_INFINITY))
    throw refuse("most", all.most, "it is a temperature, 1 <= most");
  if (!(all.pull >= 0 && all.pull < Number.POSITIVE_INFINITY)) throw refuse("pull", all.pull, "it is a number >= 0");
  return all;
}

const refuse = (name: string, value: unknown, why: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `fitTemperatures: ${name} is ${String(value)}`,
    why,
    next: "FIT_DEFAULTS of @diffuspec/lattice shows valid options.",
    details: { option: name, value },
  });
