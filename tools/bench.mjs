/** `npm run bench -- speed`: installs, builds, then runs a measurement of apps/bench, or its report. Its own --help lists the options. */
import { main, run } from "./run.mjs";
import { setup } from "./setup.mjs";

const BENCHES = ["speed", "ablations", "anatomy", "proof", "search", "scorers", "ngram", "spec-bench", "report"];

await main(async () => {
  const [name = "speed", ...args] = process.argv.slice(2);
  if (!BENCHES.includes(name)) throw new Error(`Name a bench: npm run bench -- ${BENCHES.join(" | ")}`);
  await setup();
  await run(process.execPath, [`apps/bench/dist/${name}.js`, ...args], { stdout: "inherit" });
});
