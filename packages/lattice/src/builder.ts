import { DiffuSpecError, type Lattice } from "@diffuspec/contracts";
import { idSet, type LatticeOptions, latticeOptions } from "./options.ts";
import { badRow, insert, rankedRow, rankLogits } from "./ranked-row.ts";
import { temper } from "./temperature.ts";

/** The best M entries of every position, as a graph gives them. */
export interface TopM {
  /** [depth, M], best first. */
  readonly ids: Int32Array;
  /** [depth, M], raw logits. */
  readonly logits: Float32Array;
  /** [depth], ln of the sum of exp over all logits of the position. */
  readonly logSumExp: Float32Array;
}

/**
 * Every method fills and returns the same lattice, whose arrays are the builder's own: it is valid until the next call of any
 * method. A search that is still under way then would read the wrong round. {@link copyLattice} keeps one.
 */
export interface LatticeBuilder {
  /**
   * From a table of the best M. Struck ids are skipped; their mass stays in logSumExp unless the graph took it out.
   * An entry of -Infinity is padding. A position without any entry left ends the lattice before it.
   *
   * @throws ERR_CONTRACT where the arrays are too short, a row is not best first, or a number is not one
   */
  fromTopM(table: TopM, depth: number, m: number): Lattice;
  /**
   * From full logits, [depth, vocabularySize]. Struck ids are taken out before the softmax.
   *
   * @throws ERR_CONTRACT where the array is too short, or a position has NaN, +Infinity or nothing finite
   */
  fromLogits(logits: Float32Array, depth: number, vocabularySize: number): Lattice;
  /**
   * From natural-log probabilities, [depth, vocabularySize], taken as they are: struck ids are skipped and nothing is
   * normalised. Give them to fromLogits instead to spread the mass of the struck ids over the rest.
   *
   * @throws ERR_CONTRACT as fromLogits, and where a value is above 0
   */
  fromLogProbs(logProbs: Float32Array, depth: number, vocabularySize: number): Lattice;
}

/** Half-precision graphs round ln sum exp and the top logit apart by this much. */
const ROUNDING = 0.05;

interface Input {
  ids: Int32Array;
  /** Logits or log-probabilities, [depth, width]. */
  values: Float32Array;
  logSumExp: Float32Array;
  width: number;
  /** Ids of a full table that the target knows. */
  known: number;
}

const NO_IDS = new Int32Array(0);
const NO_VALUES = new Float32Array(0);

/**
 * Eq. 7: M_i = min{ m <= M_max : the m most probable tokens of position i reach tau }, M_max where they do not.
 * Owns its buffers, which grow to the largest lattice seen; after that a round allocates nothing.
 *
 * @throws ERR_OPTION
 */
export function createLatticeBuilder(options: LatticeOptions = {}): LatticeBuilder {
  const { tau, maxCandidates, eosIds, struckIds, targetVocabularySize, keepEos, stopAt, temperatures } =
    latticeOptions(options);
  const struck = idSet(struckIds);
  const eos = idSet(eosIds);
  const isEos = (id: number) => id < eos.length && eos[id] === 1;
  const temperatureOf = (position: number) =>
    temperatures.length === 0 ? 1 : temperatures[Math.min(position, temperatures.length - 1)];
  const row = rankedRow(maxCandidates);
  const lattice = {
    depth: 0,
    offsets: new Int32Array(1),
    tokens: new Int32Array(0),
    logProbs: new Float32Array(0),
    generatedLength: 0,
  };
  /** True once the lattice has its last position; generatedLength may still be looked for. */
  let stopped = false;
  /** The input of the call under way, here rather than in closures so that a call makes none. */
  const input: Input = { ids: NO_IDS, values: NO_VALUES, logSumExp: NO_VALUES, width: 0, known: 0 };

  /** Adds one position from the ranked row. */
  function append(logSumExp: number): void {
    const start = lattice.offsets[lattice.depth];
    const temperature = temperatureOf(lattice.depth);
    if (temperature !== 1) temper(row, logSumExp, temperature);
    const total = temperature === 1 ? logSumExp : 0;
    let kept = 0;
    let mass = 0;
    let sawEos = false;
    for (let rank = 0; rank < row.count; rank++) {
      const inMass = mass < tau;
      const end = isEos(row.ids[rank]);
      if (!inMass && !(keepEos && end && !sawEos)) continue;
      // Rounding must not make a probability above 1.
      const logProb = Math.min(0, row.values[rank] - total);
      if (inMass) mass += Math.exp(logProb);
      lattice.tokens[start + kept] = row.ids[rank];
      lattice.logProbs[start + kept++] = logProb;
      sawEos ||= end;
      if (inMass && end && stopAt === "candidate") stopped = true;
    }
    lattice.offsets[++lattice.depth] = start + kept;
  }

  /** Asks `rank` to fill the row of each position in turn; it returns ln sum exp. */
  function build(depth: number, rank: (position: number) => number): Lattice {
    reserve(depth);
    lattice.depth = 0;
    lattice.generatedLength = depth;
    stopped = false;
    try {
      for (let position = 0; position < depth; position++) {
        const logSumExp = rank(position);
        const endsHere = row.count === 0 || isEos(row.ids[0]);
        if (row.count > 0 && !stopped) append(logSumExp);
        if (!endsHere) continue;
        lattice.generatedLength = position;
        break;
      }
    } finally {
      input.ids = NO_IDS;
      input.values = input.logSumExp = NO_VALUES;
    }
    return lattice;
  }

  function reserve(depth: number): void {
    if (lattice.offsets.length > depth) return;
    lattice.offsets = new Int32Array(depth + 1);
    lattice.tokens = new Int32Array(depth * maxCandidates);
    lattice.logProbs = new Float32Array(depth * maxCandidates);
  }

  function rankTable(position: number): number {
    const { ids, values, logSumExp, width } = input;
    row.count = 0;
    let previous = Number.POSITIVE_INFINITY;
    for (let cell = position * width; cell < (position + 1) * width; cell++) {
      const value = values[cell];
      if (!(value <= previous) || value === Number.POSITIVE_INFINITY)
        throw badRow(`logit ${value} stands after ${previous} in a row that should be best first`, position);
      previous = value;
      if (value === Number.NEGATIVE_INFINITY) continue;
      const id = ids[cell];
      if (id < 0) throw badRow(`${id} is no token id`, position);
      if (id < targetVocabularySize && !(id < struck.length && struck[id] === 1)) insert(row, id, value);
    }
    const total = logSumExp[position];
    if (row.count > 0 && !(total >= values[position * width] - ROUNDING && total < Number.POSITIVE_INFINITY))
      throw badRow(`logSumExp ${total} is less than the largest logit, or no number`, position);
    return total;
  }

  const rankFull = (position: number) =>
    rankLogits(row, input.values, position * input.width, input.known, struck, position);

  function rankLogProbs(position: number): number {
    rankFull(position);
    if (row.values[0] > ROUNDING) throw badRow(`${row.values[0]} is no log-probability`, position);
    return 0;
  }

  /** Takes a full table as the input. */
  function takeFull(name: string, values: Float32Array, depth: number, width: number): void {
    const cells = cellCount(depth, width);
    if (values.length < cells) throw malformed(`${name} ${values.length}`, depth, width);
    input.values = values;
    input.width = width;
    input.known = Math.min(width, targetVocabularySize);
  }

  return {
    fromTopM({ ids, logits, logSumExp }, depth, m) {
      const cells = cellCount(depth, m);
      if (ids.length < cells || logits.length < cells || logSumExp.length < depth)
        throw malformed(`ids ${ids.length}, logits ${logits.length} and logSumExp ${logSumExp.length}`, depth, m);
      input.ids = ids;
      input.values = logits;
      input.logSumExp = logSumExp;
      input.width = m;
      return build(depth, rankTable);
    },

    fromLogits(logits, depth, vocabularySize) {
      takeFull("logits", logits, depth, vocabularySize);
      return build(depth, rankFull);
    },

    fromLogProbs(logProbs, depth, vocabularySize) {
      takeFull("logProbs", logProbs, depth, vocabularySize);
      return build(depth, rankLogProbs);
    },
  };
}

/** A lattice of its own arrays, cut to size. */
export function copyLattice(lattice: Lattice): Lattice {
  const end = lattice.offsets[lattice.depth];
  return {
    depth: lattice.depth,
    offsets: lattice.offsets.slice(0, lattice.depth + 1),
    tokens: lattice.tokens.slice(0, end),
    logProbs: lattice.logProbs.slice(0, end),
    generatedLength: lattice.generatedLength,
  };
}

function cellCount(depth: number, width: number): number {
  if (!Number.isInteger(depth) || depth < 0 || !Number.isInteger(width) || width < 1)
    throw malformed("the shape", depth, width);
  return depth * width;
}

const malformed = (what: string, depth: number, width: number) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `A lattice of shape [${depth}, ${width}] cannot be built`,
    why: `the input does not hold it: ${what}`,
    next: "Pass arrays of at least depth x width numbers and integers for both.",
    details: { depth, width },
  });
