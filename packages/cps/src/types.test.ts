/** What the types promise; tsc is the judge, and runs over this file with the package. */
import type { CausalScorer, PathSearch } from "@diffuspec/contracts";
import { expectTypeOf, test } from "vitest";
import { type createArgmaxSearch, createBeamSearch, createTreeSearch } from "./index.ts";

test("every search is the contracts' PathSearch", () => {
  expectTypeOf<ReturnType<typeof createArgmaxSearch>>().toExtend<PathSearch>();
  expectTypeOf<ReturnType<typeof createBeamSearch>>().toExtend<PathSearch>();
  expectTypeOf<ReturnType<typeof createTreeSearch>>().toExtend<PathSearch>();
});

test("any CausalScorer serves, one that answers late too", () => {
  const make = (now: CausalScorer<number[]>, late: CausalScorer<Promise<null>>) => [
    createBeamSearch({ scorer: now }),
    createTreeSearch({ scorer: late }),
  ];
  expectTypeOf(make).returns.toExtend<PathSearch[]>();
  // @ts-expect-error a search needs a scorer
  void (() => createBeamSearch({}));
});
