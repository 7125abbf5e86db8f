/** What the types promise; tsc is the judge, and runs over this file with the package. */
import type { CausalScorer } from "@diffuspec/contracts";
import { expectTypeOf, test } from "vitest";
import {
  createHashedScorer,
  createKenlmScorer,
  createNgramScorer,
  createOnlineScorer,
  createUniformScorer,
  createWordIds,
  decodeNgram,
  encodeNgram,
  estimateNgram,
  estimateNgramStream,
  followText,
  type HashedScorer,
  type KenlmModel,
  type NamingScorer,
  type NgramModel,
  type NgramScorer,
  type NgramState,
  type OnlineScorer,
  readArpa,
  readKenlm,
  type SyncCausalScorer,
} from "./index.ts";
import { estimateNgramSpilled, readArpaGzip } from "./node.ts";

test("every scorer is the contracts' CausalScorer, and answers at once", () => {
  expectTypeOf<HashedScorer>().toExtend<CausalScorer<number>>();
  expectTypeOf<NgramScorer<NgramState>>().toExtend<CausalScorer<NgramState>>();
  expectTypeOf<OnlineScorer>().toExtend<CausalScorer<NgramState>>();
  expectTypeOf<SyncCausalScorer<null>>().toExtend<CausalScorer<null>>();
  expectTypeOf(createNgramScorer).returns.toEqualTypeOf<NgramScorer<NgramState> & NamingScorer<NgramState>>();
  expectTypeOf(createKenlmScorer).returns.toEqualTypeOf<NgramScorer<NgramState>>();
  expectTypeOf(createHashedScorer).returns.toEqualTypeOf<HashedScorer>();
  expectTypeOf(createOnlineScorer).returns.toEqualTypeOf<OnlineScorer>();
  expectTypeOf(followText).returns.toEqualTypeOf<NamingScorer<NgramState>>();
  expectTypeOf(createUniformScorer).returns.toEqualTypeOf<SyncCausalScorer<null>>();
  const one = (scorer: HashedScorer) => scorer.score(0, 1);
  expectTypeOf(one).returns.toEqualTypeOf<number>();
  const many = (scorer: HashedScorer) => scorer.score([0], Int32Array.of(1), new Float64Array(1));
  expectTypeOf(many).returns.toBeVoid();
  // @ts-expect-error a state of another scorer
  void ((scorer: HashedScorer) => scorer.score([1, 2], 3));
});

test("a model is typed arrays, readonly; estimation takes ids with a size, or words", () => {
  expectTypeOf<NgramModel["levels"][number]["logProb"]>().toEqualTypeOf<Float32Array>();
  expectTypeOf(decodeNgram).returns.toEqualTypeOf<NgramModel>();
  expectTypeOf(encodeNgram).returns.toEqualTypeOf<Uint8Array<ArrayBuffer>>();
  expectTypeOf(readArpa).returns.toEqualTypeOf<NgramModel>();
  expectTypeOf(readArpaGzip).returns.toEqualTypeOf<NgramModel>();
  expectTypeOf(readKenlm).returns.toEqualTypeOf<KenlmModel>();
  const words = createWordIds();
  expectTypeOf(estimateNgram([[0], Int32Array.of(1)], { vocabularySize: 2 })).toEqualTypeOf<NgramModel>();
  expectTypeOf(estimateNgram(["a b", ["a"]], { words })).toEqualTypeOf<NgramModel>();
  const late = () => [estimateNgramStream(["a"], { words }), estimateNgramSpilled([[0]], { vocabularySize: 1 })];
  expectTypeOf(late).returns.toEqualTypeOf<Promise<NgramModel>[]>();
  // @ts-expect-error ids without the size of their vocabulary
  void (() => estimateNgram([[0]], {}));
  // @ts-expect-error ids where words are asked for
  void (() => estimateNgram([[0]], { words }));
  // @ts-expect-error a model is never changed
  void ((model: NgramModel) => (model.order = 2));
});
