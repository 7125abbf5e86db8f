import { expect, it } from "vitest";
import { runReadmeExample } from "../../../tools/readme-example.ts";
import * as cps from "./index.ts";

it("the README's example logs what it says", async () => {
  const { logged, code } = await runReadmeExample(new URL("../README.md", import.meta.url), { "@diffuspec/cps": cps });
  const [tokens, score] = logged[0] as [Int32Array, number];
  expect([...tokens]).toEqual([7, 2, 4]);
  expect(code).toContain(`Int32Array [7, 2, 4], ${score.toFixed(3)}`);
});
