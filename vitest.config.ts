import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`./${path}`, import.meta.url));

/** Tests run against the sources; what needs a build (workers, the command, packed tarballs) says so in its name. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@diffuspec\/drafters\/(.+)$/, replacement: source("packages/drafters/src/$1/index.ts") },
      { find: /^@diffuspec\/([^/]+)$/, replacement: source("packages/$1/src/index.ts") },
      { find: /^diffuspec\/engine$/, replacement: source("packages/diffuspec/src/engine.ts") },
      { find: /^diffuspec$/, replacement: source("packages/diffuspec/src/index.ts") },
    ],
  },
  test: {
    include: ["{packages,apps}/*/{src,test}/**/*.test.ts", "{examples,tools}/**/*.test.ts"],
    testTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
