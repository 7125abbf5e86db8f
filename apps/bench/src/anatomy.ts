import { anatomyTables } from "./anatomy-markdown.ts";
import { measureAnatomy } from "./anatomy-measure.ts";
import { readArguments, samplingOf } from "./arguments.ts";
import { program } from "./program.ts";
import { progressLine, writeResult } from "./result-file.ts";
import { findPair } from "./spec-bench-arguments.ts";
import { openSuite, takeFirst } from "./suite.ts";

const DEFAULTS = { count: 6, maxTokens: 64 } as const;

const HELP = `npm run bench -- anatomy [options]

Where the milliseconds of a round go: draft, search, verify and the rest, and within draft and verify the model, the hand-over of
its inputs and outputs, and JavaScript. In a second copy of the pair, which takes turns with one that nobody looks at, a graph of
the same inputs and outputs without a model runs behind every pass: its time is the hand-over.

  --count N           prompts (default ${DEFAULTS.count})
  --max-tokens N      tokens of each completion (default ${DEFAULTS.maxTokens})
  --pair, --data, --prompts, --temperature, --seed, --threads, --out, --json    as for speed
`;

await program(async () => {
  const given = readArguments(process.argv.slice(2), ["pair", "data"]);
  if (given.help) {
    process.stdout.write(HELP);
    return;
  }
  const { count = DEFAULTS.count, maxTokens = DEFAULTS.maxTokens, threads } = given;
  const result = await measureAnatomy({
    directory: findPair(given.pair),
    sampling: samplingOf(given),
    threads,
    suite: (chat) => takeFirst(openSuite(given, chat), count),
    maxTokens,
    progress: progressLine,
  });
  process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : anatomyTables(result));
  if (given.out !== undefined) writeResult(given.out, "anatomy", result);
  if (!result.identical) process.exitCode = 1;
});
