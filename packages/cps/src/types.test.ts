import type { CausalScorer, PathSearch, SearchRequest, SearchResult } from "@diffuspec/contracts";
import { expectTypeOf, it } from "vitest";
import {
  type ArgmaxSearch,
  BEAM_DEFAULTS,
  BEAM_PAPER,
  type BeamOptions,
  createArgmaxSearch,
  createBeamSearch,
  createTreeSearch,
  type ScoreOptions,
  TREE_DEFAULTS,
  type TreeOptions,
} from "./index.ts";

const scorer = {} as CausalScorer<{ readonly last: number }>;

/** Checked by tsc; vitest only runs through it. */
it("the public types", () => {
  expectTypeOf(createBeamSearch<number>).toEqualTypeOf<(options: BeamOptions<number>) => PathSearch>();
  expectTypeOf(createTreeSearch<number>).toEqualTypeOf<(options: TreeOptions<number>) => PathSearch>();
  // The state's type comes from the scorer.
  expectTypeOf(createBeamSearch<{ readonly last: number }>)
    .parameter(0)
    .toHaveProperty("scorer")
    .toEqualTypeOf<typeof scorer>();
  expectTypeOf(createArgmaxSearch).returns.toEqualTypeOf<ArgmaxSearch>();
  // Argmax never waits; the others may.
  expectTypeOf<ArgmaxSearch["search"]>().toEqualTypeOf<(request: SearchRequest) => SearchResult>();
  expectTypeOf<PathSearch["search"]>().returns.toEqualTypeOf<SearchResult | Promise<SearchResult>>();

  expectTypeOf<TreeOptions>().toExtend<BeamOptions>();
  expectTypeOf<BeamOptions>().toExtend<ScoreOptions>();
  expectTypeOf<BeamOptions["scoring"]>().toEqualTypeOf<"per-token" | "paper" | undefined>();
  expectTypeOf<TreeOptions["trunk"]>().toEqualTypeOf<"beam" | "best-first" | undefined>();
  expectTypeOf<TreeOptions["batch"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf(BEAM_PAPER.scoring).toEqualTypeOf<"paper">();
  expectTypeOf({ ...BEAM_DEFAULTS, scorer }).toExtend<BeamOptions<{ readonly last: number }>>();
  expectTypeOf({ ...TREE_DEFAULTS, scorer }).toExtend<TreeOptions<{ readonly last: number }>>();

  // @ts-expect-error a search needs a scorer
  const _none: BeamOptions = { beam: 3 };
  // @ts-expect-error no such scoring
  const _scoring: BeamOptions["scoring"] = "mean";
  // @ts-expect-error a chain has no decay
  const _decay: BeamOptions<number> = { scorer: {} as CausalScorer<number>, decay: 0.5 };
});
