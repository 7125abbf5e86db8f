import { styleText } from "node:util";
import { MAX_TOKENS, readArguments, samplingOf } from "./arguments.ts";
import { interleave, type Watcher } from "./interleave.ts";
import { DEMO_METHODS, openMethods } from "./methods.ts";
import { loadPair } from "./pair.ts";
import { program } from "./program.ts";
import { HELD_OUT, readPrompts } from "./prompts.ts";
import { report, reportTable } from "./report.ts";

const HELP = `npm run demo -- [options]

The embedded pair completes held-out prompts. Every method takes its turn on each prompt; the text that comes is
DiffuSpec's, accepted draft tokens in green, the target's own tokens plain.

  --prompts FILE            other prompts: one JSON string a line
  --count N                 the first N prompts (default 8, with --fast 3)
  --max-tokens N            tokens of each completion (default 128)
  --fast                    fewer prompts
  --temperature X --seed N  seeded sampling instead of the pair's default
  --repetition-penalty X    1 is none
  --dry-multiplier X        against repeated runs; 0 is none
  --threads N               threads of one operator
  --json                    one JSON object on stdout and nothing else
`;

await program(main);

async function main(): Promise<void> {
  const given = readArguments(process.argv.slice(2), ["fast"]);
  if (given.help) {
    process.stdout.write(HELP);
    return;
  }
  const texts = readPrompts(given.prompts ?? HELD_OUT);
  const count = given.count ?? (given.prompts ? texts.length : given.fast ? 3 : 8);
  const pair = await loadPair({ sampling: samplingOf(given), threads: given.threads });
  try {
    const prompts = texts.slice(0, count).map((text) => pair.engine.encode(text));
    const watch = given.json ? {} : storyteller(texts);
    const methods = await openMethods(DEMO_METHODS, pair);
    const { maxTokens = MAX_TOKENS } = given;
    const trials = await interleave(methods, prompts, { maxTokens, watch });
    const result = report(pair, trials, DEMO_METHODS);
    process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : reportTable(result, pair.sampling));
    if (!result.identical) process.exitCode = 1;
  } finally {
    await pair.dispose();
  }
}

/** Writes each prompt and DiffuSpec's completion as it comes; on a terminal, says meanwhile which method runs. */
function storyteller(texts: readonly string[]): Watcher {
  const terminal = process.stdout.isTTY && !process.env.NO_COLOR;
  const write = (text: string, style?: "green" | "dim") =>
    process.stdout.write(terminal && style && text ? styleText(style, text) : text);
  return {
    begin(prompt, method) {
      if (method === "diffuspec") write(`${terminal ? "\r\x1b[K" : ""}\n${texts[prompt]!}`, "dim");
      else if (terminal) write(`\r[${method}]\x1b[K`, "dim");
    },
    round(method, round) {
      if (method !== "diffuspec") return;
      for (const [index, text] of round.texts.entries()) write(text, index < round.accepted ? "green" : undefined);
      if (round.finishReason !== null) write("\n");
    },
    end({ runs }) {
      const { ids, rounds, decodeMs } = runs.diffuspec!;
      if (terminal) write("\r\x1b[K");
      write(
        `-- ${ids.length} tokens in ${rounds} rounds, ${Math.round((1000 * (ids.length - 1)) / decodeMs)} tokens/s --\n`,
        "dim",
      );
    },
  };
}
