import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    demo: "src/demo.ts",
    speed: "src/speed.ts",
    ablations: "src/ablations.ts",
    anatomy: "src/anatomy.ts",
    proof: "src/proof.ts",
    search: "src/search.ts",
    ngram: "src/ngram.ts",
    scorers: "src/scorers.ts",
    "spec-bench": "src/spec-bench.ts",
    report: "src/benchmarks.ts",
    "peer-host": "src/peers/host.ts",
  },
  format: ["esm"],
  target: "node20",
  clean: true,
});
