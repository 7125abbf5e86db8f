import { MAX_TOKENS, readArguments, samplingOf } from "./arguments.ts";
import { interleave } from "./interleave.ts";
import { openMethods, SEARCH_METHODS } from "./methods.ts";
import { loadPair } from "./pair.ts";
import { HELD_OUT, readPrompts } from "./prompts.ts";
import { divergences, nonLooping, round, summarise } from "./summary.ts";

const HELP = `npm run bench -- search [options]

What the path search costs and brings: the same drafts by argmax, by CPS and by the best-first tree, on the held-out
prompts whose completion does not loop. Options as the demo's (--count 24). searchShare: lattice and search over all
of decoding.
`;

const given = readArguments(process.argv.slice(2));
if (given.help) {
  process.stdout.write(HELP);
} else {
  const pair = await loadPair({ sampling: samplingOf(given), threads: given.threads });
  const texts = readPrompts(given.prompts ?? HELD_OUT).slice(0, given.count ?? 24);
  const prompts = texts.map((text) => pair.engine.encode(text));
  const { maxTokens = MAX_TOKENS, repeats } = given;
  const trials = await interleave(await openMethods(SEARCH_METHODS, pair), prompts, { maxTokens, repeats });
  const quiet = nonLooping(trials);
  const [argmax, cps, tree] = (["dlmArgmax", "everyRound", "tree"] as const).map((name) => summarise(quiet, name));
  const result = {
    searchShare: round(cps!.searchMs / cps!.decodeMs),
    meanAcceptedTokens: {
      argmax: argmax!.meanAcceptedTokens,
      cps: cps!.meanAcceptedTokens,
      tree: tree!.meanAcceptedTokens,
    },
  };
  process.stdout.write(
    given.json
      ? `${JSON.stringify(result)}\n`
      : `MAT on ${quiet.length} of ${trials.length} prompts: argmax ${result.meanAcceptedTokens.argmax}, CPS ${result.meanAcceptedTokens.cps}, tree ${result.meanAcceptedTokens.tree}. Search takes ${(100 * result.searchShare).toFixed(1)} % of decoding.\n`,
  );
  await pair.dispose();
  if (divergences(trials, ["dlmArgmax", "everyRound", "tree"]).length > 0) process.exitCode = 1;
}
