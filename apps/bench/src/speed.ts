import { MAX_TOKENS, PEERS_HELP, readArguments, samplingOf } from "./arguments.ts";
import { loadPair } from "./pair.ts";
import { createPeers } from "./peers/create-peers.ts";
import { program } from "./program.ts";
import { progressLine, writeResult } from "./result-file.ts";
import { findPair } from "./spec-bench-arguments.ts";
import { speedTables } from "./speed-markdown.ts";
import { measureSpeed } from "./speed-measure.ts";
import { encodeSuite, openSuite, takeFirst } from "./suite.ts";

/** Ends within 50 seconds on two cores, loading included. */
const QUICK = { maxTokens: 24, stopAtMs: 25_000 } as const;

const HELP = `npm run bench -- speed [options]

How fast every method writes: all of them take turns on each prompt of the suite, and every completion is compared with
plain AR's (exact), ids and lengths. Exit code 1 where one differs.

  --pair NAME|DIR     tiny-js (default), models/NAME, or a model directory
  --data FILE         Spec-Bench's question.jsonl: ten first turns a task
  --prompts FILE      other prompts: one JSON string a line
  --count N           the first N prompts of the suite; its categories come in turns
  --max-tokens N      tokens of each completion (default ${MAX_TOKENS})
  --repeats N         whole rounds over the prompts (default 1)
  --temperature X --seed N, --repetition-penalty X, --dry-multiplier X    instead of the pair's own defaults
  --threads N         threads of one operator
  --quick             completions of ${QUICK.maxTokens} tokens, and no prompt is begun after its first ${QUICK.stopAtMs / 1000} seconds
                      (with --peers: behind their start)
${PEERS_HELP}  --out FILE          also write a result file, with every trial
  --json              one JSON object on stdout and nothing else
`;

await program(async () => {
  const given = readArguments(process.argv.slice(2), ["pair", "data", "quick", "peers", "gguf"]);
  if (given.help) {
    process.stdout.write(HELP);
    return;
  }
  const directory = findPair(given.pair);
  const { maxTokens = given.quick ? QUICK.maxTokens : MAX_TOKENS, repeats, threads } = given;
  const pair = await loadPair({ directory, sampling: samplingOf(given), threads });
  try {
    const { engine } = pair;
    const suite = takeFirst(openSuite(given, engine.info.chat), given.count);
    const before = performance.now();
    const peers =
      given.peers.length > 0
        ? await createPeers({
            names: given.peers,
            directory,
            contextLength: engine.info.contextLength,
            eosIds: engine.verifier.eosIds,
            trial: encodeSuite(suite, engine)[0]!,
            ...(given.gguf !== undefined && { gguf: given.gguf }),
            ...(threads !== undefined && { threads }),
          })
        : undefined;
    const { result, trials } = await measureSpeed(pair, suite, {
      maxTokens,
      repeats,
      peers,
      progress: progressLine,
      ...(given.quick && { stopAtMs: QUICK.stopAtMs + performance.now() - before }),
    }).finally(() => peers?.dispose());
    process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : speedTables(result));
    if (given.out !== undefined) {
      const kept = trials.map(({ runs, ...trial }) => ({
        ...trial,
        runs: Object.fromEntries(
          Object.entries(runs).map(([name, { ids, lengths, ...run }]) => [name, { tokens: ids.length, ...run }]),
        ),
      }));
      writeResult(given.out, "speed", result, { trials: kept });
    }
    if (!result.identical) process.exitCode = 1;
  } finally {
    await pair.dispose();
  }
});
