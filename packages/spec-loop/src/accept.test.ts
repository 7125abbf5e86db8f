import { argmax, chain, type Rows, type TokenTree } from "@diffuspec/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { accept } from "./accept.ts";
import { graft } from "./graft.ts";
import { createSampler } from "./sampler.ts";

/** Rows whose argmax is given; everything else is out of reach. */
function rowsOf(tokens: number[], exact = tokens.length): Rows {
  const refuse = () => {
    throw new Error("not asked for");
  };
  return { count: tokens.length, exact, argmax: (row) => tokens[row]!, logits: refuse, top: refuse, tap: refuse };
}
const tree = (tokens: number[], parents: number[]): TokenTree => ({
  tokens: Int32Array.from(tokens),
  parents: Int32Array.from(parents),
});
const greedy = createSampler({}, 10);
const walk = (t: TokenTree, rows: Rows) => {
  const found = accept(t, rows, greedy, Int32Array.from([9, 1, ...new Array(20).fill(0)]), 2, 10);
  return { path: [...found.path], bonus: found.bonus, head: [...found.head] };
};

describe("accept", () => {
  it("takes none, some or all of a chain, then the bonus", () => {
    expect(walk(chain(1, [2, 3]), rowsOf([5, 6, 7]))).toEqual({ path: [0], bonus: 5, head: [] });
    expect(walk(chain(1, [2, 3]), rowsOf([2, 6, 7]))).toEqual({ path: [0, 1], bonus: 6, head: [] });
    expect(walk(chain(1, [2, 3]), rowsOf([2, 3, 7]))).toEqual({ path: [0, 1, 2], bonus: 7, head: [] });
    expect(walk(chain(1, []), rowsOf([4]))).toEqual({ path: [0], bonus: 4, head: [] });
  });
  it("follows a side branch whose row is exact", () => {
    const t = tree([1, 2, 3, 4, 5], [-1, 0, 1, 0, 3]);
    expect(walk(t, rowsOf([4, 0, 0, 5, 6]))).toEqual({ path: [0, 3, 4], bonus: 6, head: [] });
  });
  it("stops at a tentative child, and hands what follows on as head", () => {
    const t = tree([1, 2, 3, 4, 5], [-1, 0, 1, 0, 3]);
    expect(walk(t, rowsOf([4, 0, 0, 5, 6], 3))).toEqual({ path: [0], bonus: 4, head: [5, 6] });
    expect(walk(t, rowsOf([2, 8, 0, 5, 6], 3))).toEqual({ path: [0, 1], bonus: 8, head: [] });
  });
  it("shows the sampler the ids of the branch it stands on", () => {
    const seen: number[][] = [];
    const sampler = {
      argmaxOnly: false,
      temperature: 0,
      noise: () => 0,
      token(logits: Float32Array, position: number, ids: Int32Array) {
        seen.push([position, ...ids]);
        return argmax(logits);
      },
    };
    const rows = { ...rowsOf([0, 0, 0]), logits: (row: number) => Float32Array.from([0, 0, +(row < 1), +(row > 0)]) };
    accept(tree([1, 3, 2], [-1, 0, 0]), rows, sampler, Int32Array.of(7, 1, 0, 0), 2, 10);
    expect(seen).toEqual([
      [2, 7, 1],
      [3, 7, 1, 2],
    ]);
  });
});

describe("graft", () => {
  it("puts the head in front and merges what agrees", () => {
    const t = tree([1, 2, 3, 4], [-1, 0, 1, 1]);
    expect(graft([2, 4], t, 9)).toEqual(tree([1, 2, 4, 3], [-1, 0, 1, 1]));
    expect(graft([5], t, 9)).toEqual(tree([1, 5, 2, 3, 4], [-1, 0, 0, 2, 2]));
  });
  it("leaves out what does not fit, with all that hangs on it", () => {
    expect(graft([5, 6], chain(1, [2, 3, 4]), 4)).toEqual(tree([1, 5, 6, 2], [-1, 0, 1, 0]));
    expect(graft([5, 6, 7], chain(1, [2]), 3)).toEqual(chain(1, [5, 6]));
  });
  it("keeps every path that fits, without equal siblings, head as trunk", () => {
    const paths = (t: TokenTree) => {
      const texts = [""];
      for (let i = 1; i < t.tokens.length; i++) texts[i] = `${texts[t.parents[i]!]},${t.tokens[i]}`;
      return texts;
    };
    const randomTree = fc
      .array(fc.tuple(fc.nat(3), fc.nat(1e6)), { maxLength: 20 })
      .map((nodes) => tree([7, ...nodes.map(([token]) => token)], [-1, ...nodes.map(([, at], i) => at % (i + 1))]));
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 5 }), randomTree, (head, t) => {
        const merged = graft(head, t, 100);
        const found = paths(merged);
        expect(new Set(found).size).toBe(found.length);
        const prefixes = head.map((_, i) =>
          head
            .slice(0, i + 1)
            .map((token) => `,${token}`)
            .join(""),
        );
        expect(new Set(found)).toEqual(new Set([...paths(t), ...prefixes]));
        expect(found.slice(0, head.length + 1)).toEqual(["", ...prefixes]);
        merged.parents.forEach((parent, i) => {
          expect(parent).toBeLessThan(i);
        });
      }),
      { numRuns: 1000 },
    );
  });
});
