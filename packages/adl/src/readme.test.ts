import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runReadmeExample } from "../../../tools/readme-example.ts";
import * as adl from "./index.ts";

const readme = new URL("../README.md", import.meta.url);
const modules = { "@diffuspec/adl": adl };

describe("the README", () => {
  it("its first example logs what it says", async () => {
    const { logged, code } = await runReadmeExample(readme, modules);
    expect(logged.flat()).toEqual([30, 20, 20]);
    expect(code).toContain("// 30, 20, 20");
  });
  it("its log example logs what it says", async () => {
    const { logged } = await runReadmeExample(readme, modules, 1);
    expect(logged).toEqual([[4, 4, 3]]);
  });
  it("its tables name every option with its default", () => {
    const text = readFileSync(readme, "utf8");
    for (const [name, value] of Object.entries(adl.COST_AWARE_DEFAULTS))
      expect(text).toMatch(new RegExp(`\`${name}\`.*${String(value).replace(".", "\\.")}`));
    for (const name of ["rho", "averages", "delta"] as const)
      expect(text).toMatch(
        new RegExp(`\`${name}\` *\\| \`?"?${adl.ADL_PAPER[name]}"?\`? *\\| \`?"?${adl.ADL_TINY_JS[name]}"?\`? *\\|`),
      );
    expect(text).toContain(`${adl.ADL_PAPER.kMin}, ${adl.ADL_PAPER.kMax}`);
    expect(text).toContain(`${adl.ADL_TINY_JS.kMin}, ${adl.ADL_TINY_JS.kMax}`);
  });
});
