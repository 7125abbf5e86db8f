import { ablationTables } from "./ablations-markdown.ts";
import { measureAblations } from "./ablations-measure.ts";
import { readArguments, samplingOf } from "./arguments.ts";
import { loadPair } from "./pair.ts";
import { program } from "./program.ts";
import { progressLine, writeResult } from "./result-file.ts";
import { findPair } from "./spec-bench-arguments.ts";
import { openSuite, takeFirst } from "./suite.ts";

const DEFAULTS = { count: 24, maxTokens: 96 } as const;

const HELP = `npm run bench -- ablations [options]

What every part and number of DiffuSpec is worth: the diffusion model drafts in every round, and each set of settings takes
turns with plain AR (exact) and the default DiffuSpec. Says what matters more, length or steps.

  --set A,B           some of parts, length, steps, length-steps, beam, tau, candidates, lambda, cut, rho, delta, shape,
                      controllers (default: all)
  --count N           prompts (default ${DEFAULTS.count})
  --max-tokens N      tokens of each completion (default ${DEFAULTS.maxTokens})
  --pair, --data, --prompts, --temperature, --seed, --threads, --out, --json    as for speed
`;

await program(async () => {
  const given = readArguments(process.argv.slice(2), ["pair", "data", "set"]);
  if (given.help) {
    process.stdout.write(HELP);
    return;
  }
  const { count = DEFAULTS.count, maxTokens = DEFAULTS.maxTokens, threads } = given;
  const pair = await loadPair({ directory: findPair(given.pair), sampling: samplingOf(given), threads });
  try {
    const suite = takeFirst(openSuite(given, pair.engine.info.chat), count);
    const sets = given.set?.split(",").map((name) => name.trim());
    const result = await measureAblations(pair, suite, { sets, maxTokens, progress: progressLine });
    process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : ablationTables(result));
    if (given.out !== undefined) writeResult(given.out, "ablations", result);
    if (!result.identical) process.exitCode = 1;
  } finally {
    await pair.dispose();
  }
});
