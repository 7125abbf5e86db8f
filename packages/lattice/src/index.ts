/**
 * Candidate tokens per drafted position (DiffuSpec, Eq. 7), from what a diffusion language model says in one pass.
 *
 * @module
 * @example
 * import { createLatticeBuilder } from "@diffuspec/lattice";
 * const builder = createLatticeBuilder({ tau: 0.8, maxCandidates: 15, eosIds: [0] });
 * const lattice = builder.fromLogits(Float32Array.of(0, 2, 1, 0, 9, 1), 2, 3);
 * lattice.tokens.subarray(lattice.offsets[0], lattice.offsets[1]); // Int32Array [1, 2, 0]
 */
export { copyLattice, createLatticeBuilder, type LatticeBuilder, type TopM } from "./builder.ts";
export {
  type CalibratedPosition,
  type Calibration,
  type CalibrationRow,
  calibrationRows,
  FIT_DEFAULTS,
  type FitOptions,
  fitTemperatures,
} from "./calibration.ts";
export { idSet, LATTICE_DEFAULTS, LATTICE_PAPER, type LatticeOptions } from "./options.ts";
export { type RankedRow, rankedRow, rankLogits } from "./ranked-row.ts";
