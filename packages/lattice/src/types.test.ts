import type { Lattice } from "@diffuspec/contracts";
import { expectTypeOf, it } from "vitest";
import {
  type Calibration,
  type CalibrationRow,
  calibrationRows,
  copyLattice,
  createLatticeBuilder,
  type FitOptions,
  fitTemperatures,
  LATTICE_DEFAULTS,
  LATTICE_PAPER,
  type LatticeBuilder,
  type LatticeOptions,
  type TopM,
} from "./index.ts";

/** Checked by tsc; vitest only runs through it. */
it("the public types", () => {
  expectTypeOf(createLatticeBuilder).toEqualTypeOf<(options?: LatticeOptions) => LatticeBuilder>();
  expectTypeOf<LatticeBuilder["fromTopM"]>().toEqualTypeOf<(table: TopM, depth: number, m: number) => Lattice>();
  expectTypeOf<LatticeBuilder["fromLogits"]>().parameter(0).toEqualTypeOf<Float32Array>();
  expectTypeOf<LatticeBuilder["fromLogProbs"]>().returns.toEqualTypeOf<Lattice>();
  expectTypeOf(copyLattice).toEqualTypeOf<(lattice: Lattice) => Lattice>();
  expectTypeOf(LATTICE_DEFAULTS).toEqualTypeOf<Required<LatticeOptions>>();
  expectTypeOf(LATTICE_PAPER).toExtend<Required<LatticeOptions>>();
  expectTypeOf<LatticeOptions["stopAt"]>().toEqualTypeOf<"argmax" | "candidate" | undefined>();
  expectTypeOf<LatticeOptions["temperatures"]>().toEqualTypeOf<readonly number[] | undefined>();

  expectTypeOf(fitTemperatures).toEqualTypeOf<(rows: Iterable<CalibrationRow>, options?: FitOptions) => Calibration>();
  expectTypeOf<Calibration["temperatures"]>().toExtend<NonNullable<LatticeOptions["temperatures"]>>();
  expectTypeOf(calibrationRows).returns.toEqualTypeOf<CalibrationRow[]>();
  // Rows may come from JSON.
  expectTypeOf<{ position: number; logProbs: number[]; chosen: number }>().toExtend<CalibrationRow>();

  // @ts-expect-error no such rule
  const _rule: LatticeOptions = { stopAt: "never" };
  // @ts-expect-error no such option
  const _name: LatticeOptions = { Tau: 0.8 };
  // @ts-expect-error logits are single precision
  expectTypeOf<LatticeBuilder["fromLogits"]>().toBeCallableWith(new Float64Array(3), 1, 3);
});
