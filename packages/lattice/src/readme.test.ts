import { describe, expect, it } from "vitest";
import { runReadmeExample } from "../../../tools/readme-example.ts";
import * as lattice from "./index.ts";

const readme = new URL("../README.md", import.meta.url);
const modules = { "@diffuspec/lattice": lattice };

describe("the README", () => {
  it("its first example logs what it says", async () => {
    const { logged, code } = await runReadmeExample(readme, modules);
    expect(logged).toEqual([[Int32Array.of(1, 2, 0)], [Int32Array.of(1, 0)]]);
    expect(code).toContain("Int32Array [1, 2, 0]");
    const { logProbs } = lattice.createLatticeBuilder().fromLogits(Float32Array.of(0, 2, 1), 1, 3);
    expect(Math.exp(logProbs[0]) + Math.exp(logProbs[1])).toBeCloseTo(0.91, 2);
  });
  it("its calibration example logs what it says", async () => {
    const { logged, code } = await runReadmeExample(readme, modules, 1);
    expect(code).toContain(`// [ '${(logged[0][0] as string[]).join("', '")}' ]`);
  });
});
