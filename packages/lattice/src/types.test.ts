/** What the types promise; tsc is the judge, and runs over this file with the package. */
import type { Lattice } from "@diffuspec/contracts";
import { expectTypeOf, test } from "vitest";
import { copyLattice, createLatticeBuilder } from "./index.ts";

test("every way to build gives the contracts' Lattice, at once", () => {
  type Builder = ReturnType<typeof createLatticeBuilder>;
  expectTypeOf<ReturnType<Builder["fromTopM"]>>().toExtend<Lattice>();
  expectTypeOf<ReturnType<Builder["fromLogits"]>>().toExtend<Lattice>();
  expectTypeOf<ReturnType<Builder["fromLogProbs"]>>().toExtend<Lattice>();
  expectTypeOf(copyLattice).parameter(0).toExtend<Lattice>();
  expectTypeOf(copyLattice).returns.toExtend<Lattice>();
  // @ts-expect-error options are known by name
  void (() => createLatticeBuilder({ Tau: 0.8 }));
});
