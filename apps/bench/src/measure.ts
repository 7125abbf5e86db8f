import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { readArguments, samplingOf } from "./arguments.ts";
import { circumstances } from "./circumstances.ts";
import { interleave } from "./interleave.ts";
import { METHOD_NAMES } from "./methods.ts";
import { loadPair } from "./pair.ts";
import { HELD_OUT, readPrompts } from "./prompts.ts";
import { report, reportTable } from "./report.ts";
import { nonLooping, ratioInterval } from "./summary.ts";

const HELP = `npm run bench -- measure [options]

All methods on the held-out prompts, taking turns. Options as the demo's (--count 64), and:
  --repeats N    whole rounds over the prompts (default 1)
  --out FILE     also write a result file: summary, trials, git SHA, argv, versions, machine
`;

const given = readArguments(process.argv.slice(2));
if (given.help) {
  process.stdout.write(HELP);
} else {
  const pair = await loadPair(samplingOf(given), given.threads);
  const texts = readPrompts(given.prompts ?? HELD_OUT).slice(0, given.count ?? 64);
  const prompts = texts.map((text) => pair.engine.encode(text));
  let done = 0;
  const total = prompts.length * given.repeats;
  const watch = { end: () => process.stderr.isTTY && process.stderr.write(`\r${++done}/${total}\x1b[K`) };
  const trials = await interleave(pair, METHOD_NAMES, prompts, {
    maxTokens: given.maxTokens,
    repeats: given.repeats,
    watch,
  });
  const quiet = nonLooping(trials);
  const result = {
    ...report(pair, trials, METHOD_NAMES),
    speedupInterval: ratioInterval(trials, "diffuspec", "arExact"),
    nonLoopingSpeedupInterval: ratioInterval(quiet, "diffuspec", "arExact"),
    lengths: histogram(trials.flatMap((trial) => trial.runs.diffuspec!.lengths)),
    sampling: pair.sampling,
  };
  process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : reportTable(result, pair.sampling));
  if (given.out) {
    mkdirSync(dirname(given.out), { recursive: true });
    const perTrial = trials.map(({ prompt, repeat, repeatedShare, runs }) => ({
      prompt,
      repeat,
      repeatedShare,
      runs: Object.fromEntries(
        Object.entries(runs).map(([name, { ids, lengths, ...run }]) => [name, { tokens: ids.length, ...run }]),
      ),
    }));
    writeFileSync(given.out, `${JSON.stringify({ ...circumstances(), result, trials: perTrial }, null, 1)}\n`);
  }
  await pair.dispose();
  if (!result.identical) process.exitCode = 1;
}

function histogram(values: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
