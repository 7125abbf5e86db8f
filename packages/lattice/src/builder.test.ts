import type { Lattice } from "@diffuspec/contracts";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/code-of.ts";
import { createLatticeBuilder, LATTICE_PAPER, type LatticeOptions } from "./index.ts";

const ln = Math.log;
const rows = (...probabilities: number[][]) => Float32Array.from(probabilities.flat().map(ln));
const candidates = (lattice: Lattice) =>
  Array.from({ length: lattice.depth }, (_, i) => [
    ...lattice.tokens.subarray(lattice.offsets[i], lattice.offsets[i + 1]),
  ]);
const build = (options: LatticeOptions, ...probabilities: number[][]) =>
  createLatticeBuilder(options).fromLogits(rows(...probabilities), probabilities.length, probabilities[0].length);

describe("Eq. 7", () => {
  it("keeps the fewest best tokens that reach tau", () => {
    const lattice = build({ tau: 0.75 }, [0.1, 0.5, 0.3, 0.1], [0.8, 0.1, 0.05, 0.05]);
    expect(candidates(lattice)).toEqual([[1, 2], [0]]);
    expect([...lattice.logProbs.subarray(0, 3)].map((x) => Math.exp(x).toFixed(3))).toEqual([
      "0.500",
      "0.300",
      "0.800",
    ]);
    expect(lattice.generatedLength).toBe(2);
  });
  it("stops at M_max where tau is not reached", () => {
    expect(candidates(build({ tau: 1, maxCandidates: 3 }, [0.1, 0.4, 0.2, 0.2, 0.1]))).toEqual([[1, 2, 3]]);
  });
  it("puts equal values in the order of their ids, in both sources", () => {
    expect(candidates(build({ tau: 1, maxCandidates: 3 }, [0.25, 0.25, 0.25, 0.25]))).toEqual([[0, 1, 2]]);
    const table = { ids: Int32Array.of(9, 7, 8), logits: Float32Array.of(1, 1, 0), logSumExp: Float32Array.of(2) };
    expect(candidates(createLatticeBuilder({ tau: 1 }).fromTopM(table, 1, 3))).toEqual([[7, 9, 8]]);
  });
  it("takes struck ids out before the softmax", () => {
    const lattice = build({ tau: 1, struckIds: [0], targetVocabularySize: 3 }, [0.5, 0.2, 0.05, 0.25]);
    expect(candidates(lattice)).toEqual([[1, 2]]);
    expect(Math.exp(lattice.logProbs[0])).toBeCloseTo(0.8, 6);
  });
  it("skips struck ids of a table, and takes log-probabilities as they are", () => {
    const options = { tau: 1, struckIds: [5], targetVocabularySize: 8 };
    const table = {
      ids: Int32Array.of(5, 3, 8, 2),
      logits: rows([0.4, 0.3, 0.2, 0.1]),
      logSumExp: Float32Array.of(0),
    };
    const lattice = createLatticeBuilder(options).fromTopM(table, 1, 4);
    expect(candidates(lattice)).toEqual([[3, 2]]);
    expect(Math.exp(lattice.logProbs[0])).toBeCloseTo(0.3, 6);
    const same = createLatticeBuilder({ tau: 0.45, struckIds: [0] }).fromLogProbs(rows([0.4, 0.3, 0.2, 0.1]), 1, 4);
    expect(candidates(same)).toEqual([[1, 2]]);
    expect(Math.exp(same.logProbs[0])).toBeCloseTo(0.3, 6);
  });
  it("ends before a position that has nothing but struck ids and padding", () => {
    const table = {
      ids: Int32Array.of(1, 2, 5, -1),
      logits: Float32Array.of(0, -1, 0, Number.NEGATIVE_INFINITY),
      logSumExp: Float32Array.of(1, 1),
    };
    const lattice = createLatticeBuilder({ tau: 1, struckIds: [5] }).fromTopM(table, 2, 2);
    expect([lattice.depth, lattice.generatedLength]).toEqual([1, 1]);
  });
});

describe("EOS", () => {
  const eosIds = [0];
  it("ends the lattice, inclusively, where the argmax is EOS", () => {
    const lattice = build({ eosIds }, [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]);
    expect([lattice.depth, lattice.generatedLength]).toEqual([2, 1]);
    expect(candidates(lattice)[1]).toEqual([0]);
  });
  it("an EOS at the first position leaves a lattice of one position and nothing generated", () => {
    const lattice = build({ eosIds }, [0.9, 0.1], [0.1, 0.9]);
    expect([lattice.depth, lattice.generatedLength]).toEqual([1, 0]);
  });
  it("keeps a merely possible EOS as the last candidate and goes on", () => {
    const lattice = build({ eosIds, maxCandidates: 3 }, [0.05, 0.85, 0.1], [0.05, 0.85, 0.1]);
    expect(candidates(lattice)).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(lattice.generatedLength).toBe(2);
  });
  it("does not keep an EOS that ranks below M_max, nor any where keepEos is false", () => {
    expect(candidates(build({ eosIds, maxCandidates: 2 }, [0.05, 0.85, 0.1]))).toEqual([[1]]);
    expect(candidates(build({ eosIds, keepEos: false }, [0.05, 0.85, 0.1]))).toEqual([[1]]);
  });
  it("keeps one EOS by force, the most probable", () => {
    expect(candidates(build({ eosIds: [0, 3] }, [0.02, 0.85, 0.1, 0.03]))).toEqual([[1, 3]]);
  });
  it("the paper's rule ends at an EOS candidate that tau let in, and still reads L_gen off the argmax", () => {
    const options = { ...LATTICE_PAPER, eosIds };
    const lattice = build(options, [0.05, 0.85, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]);
    expect(candidates(lattice)).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(lattice.generatedLength).toBe(3);
  });
});

describe("bad input", () => {
  const builder = createLatticeBuilder();
  it.each<[string, LatticeOptions]>([
    ["tau 0", { tau: 0 }],
    ["tau above 1", { tau: 1.1 }],
    ["tau NaN", { tau: Number.NaN }],
    ["no candidates", { maxCandidates: 0 }],
    ["half a candidate", { maxCandidates: 1.5 }],
    ["a negative EOS", { eosIds: [-1] }],
    ["a struck EOS", { eosIds: [3], struckIds: [3] }],
    ["an EOS the target does not know", { eosIds: [3], targetVocabularySize: 3 }],
    ["an unknown option", { Tau: 0.8 } as LatticeOptions],
    ["an unknown rule", { stopAt: "never" } as unknown as LatticeOptions],
    ["ids that are no array", { struckIds: 4 } as unknown as LatticeOptions],
    ["an empty vocabulary", { targetVocabularySize: 0 }],
    ["a temperature of 0", { temperatures: [1, 0] }],
    ["a temperature that is none", { temperatures: [Number.NaN] }],
    ["temperatures that are no array", { temperatures: 2 } as unknown as LatticeOptions],
    ["a word for a flag", { keepEos: "yes" } as unknown as LatticeOptions],
  ])("refuses %s", (_, options) => {
    expect(codeOf(() => createLatticeBuilder(options))).toBe("ERR_OPTION");
  });
  it.each<[string, () => unknown]>([
    ["too few logits", () => builder.fromLogits(new Float32Array(5), 2, 3)],
    ["half a position", () => builder.fromLogits(new Float32Array(5), 0.5, 3)],
    ["an empty vocabulary", () => builder.fromLogits(new Float32Array(5), 1, 0)],
    ["NaN", () => builder.fromLogits(Float32Array.of(1, Number.NaN, 0), 1, 3)],
    ["NaN first", () => builder.fromLogits(Float32Array.of(Number.NaN, 1, 0), 1, 3)],
    ["infinity", () => builder.fromLogits(Float32Array.of(1, Number.POSITIVE_INFINITY, 0), 1, 3)],
    ["nothing finite", () => builder.fromLogits(new Float32Array(3).fill(Number.NEGATIVE_INFINITY), 1, 3)],
    ["a positive log-probability", () => builder.fromLogProbs(Float32Array.of(1, 0, 0), 1, 3)],
    ["too few log-probabilities", () => builder.fromLogProbs(Float32Array.of(1, 0, 0), 2, 3)],
  ])("says ERR_CONTRACT for %s", (_, run) => {
    expect(codeOf(run)).toBe("ERR_CONTRACT");
  });
  it.each<[string, number[], number[], number]>([
    ["a row that is not best first", [1, 2], [0, 1], 3],
    ["NaN", [1, 2], [0, Number.NaN], 3],
    ["a negative id", [1, -2], [1, 0], 3],
    ["a log-sum-exp below the best logit", [1, 2], [1, 0], 0],
    ["a log-sum-exp that is NaN", [1, 2], [1, 0], Number.NaN],
    ["too short a table", [1], [1], 3],
  ])("says ERR_CONTRACT for a table with %s", (_, ids, logits, total) => {
    const table = {
      ids: Int32Array.from(ids),
      logits: Float32Array.from(logits),
      logSumExp: Float32Array.of(total),
    };
    expect(codeOf(() => builder.fromTopM(table, 1, 2))).toBe("ERR_CONTRACT");
  });
  it("is still usable afterwards", () => {
    expect(builder.fromLogits(Float32Array.of(0, 9), 1, 2).depth).toBe(1);
  });
});
