import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDecoder, probeRowExact } from "@diffuspec/onnx-decoder";
import { afterAll, describe, expect, it } from "vitest";
import { golden, goldenPath, logitsOf } from "../test/golden.ts";
import { importModel } from "./index.ts";

const dir = mkdtempSync(join(tmpdir(), "import-families-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const tokenizer = join(dir, "tokenizer.json");
writeFileSync(tokenizer, "{}");

/** Root mean square differences from PyTorch's logits, whose deviation is about 1.7. */
const MOST = { fp32: 2e-5, int8: 0.1, int4: 1.2 } as const;

describe.each(Object.keys(golden.models))("%s", (name) => {
  const expected = golden.models[name]!.logits;
  const outs = { folder: join(dir, `${name}-folder`), gguf: join(dir, `${name}-gguf`) };

  it.each(["folder", "gguf"] as const)("from a %s gives PyTorch's logits", async (kind) => {
    const source = goldenPath(kind === "gguf" ? `${name}.gguf` : name);
    const { config } = await importModel({ source, out: outs[kind], precision: ["fp32", "int8", "int4"], tokenizer });
    expect(config.eosIds).toEqual(kind === "folder" && name.startsWith("llama") ? [2, 7] : [2]);
    const { target } = JSON.parse(readFileSync(join(outs[kind], "manifest.json"), "utf8"));
    for (const precision of ["fp32", "int8", "int4"] as const) {
      const graph = join(outs[kind], target.graphs[precision].chain);
      const decoder = await createDecoder({ graph, shape: target, threads: 1 });
      const logits = await logitsOf(decoder);
      const squares = logits.reduce((sum, logit, i) => sum + (logit - expected[i]!) ** 2, 0);
      expect(Math.sqrt(squares / expected.length), precision).toBeLessThan(MOST[precision]);
      if (precision !== "fp32") expect(await probeRowExact({ decoder })).toMatchObject({ rowExact: true });
      await decoder.dispose();
    }
  });

  it("has the same weights from both", () => {
    const read = (kind: "folder" | "gguf") => readFileSync(join(outs[kind], "target.int8.bin"));
    // Llama 3's scaling comes as a formula in one and as float32 divisors in the other, so its rotary table differs.
    const skip = name === "llama-scaled" ? 2 * 192 * 8 * 4 : 0;
    expect(read("folder").subarray(skip).equals(read("gguf").subarray(skip))).toBe(true);
  });
});
