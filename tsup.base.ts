import { defineConfig, type Options } from "tsup";

/** The one build every published package uses: ESM, CJS and declarations, nothing bundled that is a dependency. */
export const library = (overrides: Options = {}) =>
  defineConfig({
    entry: ["src/index.ts"],
    format: ["esm", "cjs"],
    dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
    target: "node20",
    clean: true,
    sourcemap: false,
    splitting: true,
    ...overrides,
  });
