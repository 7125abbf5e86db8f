import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/demo.ts", "src/measure.ts", "src/search.ts", "src/ngram.ts", "src/scorers.ts"],
  format: ["esm"],
  target: "node20",
  clean: true,
});
