/**
 * The fuzz test of every parser, for longer and from another seed:
 *
 *   node packages/ngram-scorer/scripts/fuzz.mjs [inputs, default 1000000] [seed, default the time]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const [runs = "1000000", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
console.log(`${runs} inputs of seed ${seed}`);
const { status } = spawnSync(
  "npx",
  ["vitest", "run", "packages/ngram-scorer/src/fuzz.test.ts", "--testTimeout", "86400000"],
  {
    cwd: fileURLToPath(new URL("../../../", import.meta.url)),
    env: { ...process.env, FUZZ_RUNS: runs, FUZZ_SEED: seed },
    stdio: "inherit",
  },
);
process.exitCode = status ?? 1;
