import { createEngine } from "diffuspec/engine";
import { readArguments } from "./arguments.ts";
import { program } from "./program.ts";
import { allCombinations, allModes, prove } from "./prove.ts";
import { progressLine } from "./result-file.ts";
import { findPair } from "./spec-bench-arguments.ts";
import { encodeSuite, openSuite, takeFirst } from "./suite.ts";

const DEFAULTS = { maxTokens: 64, seed: 5, quick: 6 } as const;

const HELP = `npm run bench -- proof [options]

Every drafter under every length controller, with S of 1, 2, 4 and 8, chains and trees, greedy and sampled, on the whole suite:
each completion is compared with plain AR's (exact), ids and lengths. Exit code 1 where one differs. No times.

  --count N           the first N prompts of the suite (default all; --quick: ${DEFAULTS.quick})
  --max-tokens N      tokens of each completion (default ${DEFAULTS.maxTokens})
  --seed N            of the sampled ones (default ${DEFAULTS.seed})
  --pair, --data, --prompts, --threads, --json    as for speed
`;

await program(async () => {
  const given = readArguments(process.argv.slice(2), ["pair", "data", "quick"]);
  if (given.help) {
    process.stdout.write(HELP);
    return;
  }
  const { maxTokens = DEFAULTS.maxTokens, seed = DEFAULTS.seed, threads } = given;
  const common = { model: findPair(given.pair), drafter: "none", ...(threads !== undefined && { threads }) } as const;
  const first = await createEngine(common);
  const { info } = first;
  await first.dispose();
  const suite = takeFirst(openSuite(given, info.chat), given.count ?? (given.quick ? DEFAULTS.quick : undefined));
  const proof = await prove({
    open: (options) => createEngine({ ...common, ...options }),
    combinations: allCombinations(info.drafters),
    modes: allModes(seed),
    encode: (engine) => encodeSuite(suite, engine),
    maxTokens,
    progress: progressLine,
  });
  const { combinations, modes, prompts, completions, tokens, differing } = proof;
  const told = `${info.model}: ${completions} completions (${combinations} ways to draft x ${modes} samplers x ${prompts} prompts of "${suite.name}"), ${tokens} tokens: `;
  const verdict = proof.identical
    ? "all equal plain AR's (exact), token for token.\n"
    : `${differing.length} DIFFER: ${JSON.stringify(differing.slice(0, 5))}\n`;
  const result = { pair: info.model.split("/").at(-1), suite: suite.name, ...proof };
  process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : told + verdict);
  if (!proof.identical) process.exitCode = 1;
});
