import { createRequire } from "node:module";
import { DEFAULT_HUB } from "@diffuspec/model-files";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { CANVAS_PRESET_NAMES, DRAFTER_NAMES, DTYPE_NAMES, PRECISION_NAMES } from "diffuspec";
import { EXIT, explain } from "./exit.ts";
import { type ExportFlags, exportCommand } from "./export.ts";
import { type GenerateFlags, generate } from "./generate.ts";
import { type ImportFlags, importCommand } from "./import.ts";
import { type InspectFlags, inspect } from "./inspect.ts";
import { type PairsFlags, pairsCommand } from "./pairs.ts";
import { type PullFlags, pullCommand } from "./pull.ts";
import type { Terminal } from "./terminal.ts";

const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

/** Runs one command line and gives the exit code; prints its own errors. */
export async function runCli(argv: readonly string[], outer: Terminal): Promise<number> {
  const readerLeft = new AbortController();
  const onPipe = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    readerLeft.abort();
  };
  outer.stdout.on("error", onPipe);
  outer.stderr.on("error", onPipe);
  const terminal = { ...outer, signal: AbortSignal.any([outer.signal, readerLeft.signal]) };
  let code: number = EXIT.ok;
  const program = build(terminal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    // The reader has seen enough: that is no failure.
    if (readerLeft.signal.aborted) return EXIT.ok;
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { line, code: failure } = explain(error, terminal.env);
    terminal.stderr.write(line);
    return failure;
  }
}

function build(terminal: Terminal, done: (code: number) => void): Command {
  const program = new Command("diffuspec")
    .description("Lossless text generation: a diffusion model drafts, an autoregressive model verifies.")
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text.replace(/^error: /, "error [ERR_USAGE]: ")),
    })
    .showHelpAfterError("Try `diffuspec --help`.")
    .addHelpText("after", HELP);

  withModel(program.command("generate"))
    .argument(
      "[prompt]",
      'what to continue; "-", or none with a pipe, reads standard input (one final newline is dropped)',
    )
    .description("Continue a prompt. Accepted draft tokens are green on a terminal, the model's own are plain.")
    .addOption(new Option("--drafter <name>", "what drafts; the text does not depend on it").choices(DRAFTER_NAMES))
    .option("--no-draft", "plain decoding, as --drafter none")
    .option("--compare", "run with and without drafts, compare the tokens, print both rates")
    .option(
      "--chat",
      "the prompt is a user's message, the text an assistant's answer (needs a model with a chat template)",
    )
    .option("--system <text>", "with --chat: the system message")
    .option("--max-tokens <n>", "most tokens to write (default: 128)", integer)
    .option("--min-tokens <n>", "no end before so many tokens", integer)
    .option("--temperature <t>", "0 is greedy decoding", number)
    .option("--seed <n>", "equal seeds give equal text", integer)
    .option("--top-k <n>", "keep the n best ids; 0 keeps all", integer)
    .option("--top-p <p>", "keep the best ids of this share, in (0, 1]", number)
    .option("--min-p <p>", "keep ids this likely relative to the best, in [0, 1]", number)
    .option("--repetition-penalty <x>", "divides positive logits of ids seen before; 1 is off", number)
    .option("--dry-multiplier <x>", "nats against repeating a long run of ids; 0 is off", number)
    .option("--dry-base <x>", "the DRY penalty grows by this with every id of the run", number)
    .option("--dry-allowed-length <n>", "runs shorter than n ids repeat freely", integer)
    .option("--stop <text>", "end before this text; may be given again", collect)
    .option("--json", "print one JSON object and nothing else")
    .option("--stats", "print statistics to standard error")
    .option("--color", "colours, also without a terminal")
    .option("--no-color", "no colours")
    .action(async (prompt: string | undefined, flags: GenerateFlags) => done(await generate(terminal, prompt, flags)));

  withModel(program.command("inspect"))
    .description("Show what is loaded, prove its rows exact, and time its passes by row count.")
    .option("--quick", "probe a few passes instead of about a thousand")
    .option("--json", "print one JSON object and nothing else")
    .action(async (flags: InspectFlags) => done(await inspect(terminal, flags)));

  program
    .command("import")
    .argument("<source>", "a .gguf file, or the folder of a Hugging Face model (config.json and safetensors)")
    .description(
      "Turn a Llama, Qwen2 or Qwen3 model into a directory that --model takes. Goes on where it was stopped.",
    )
    .option("--out <dir>", "where to write it; must not exist (default: models/ and the source's name)")
    .addOption(
      new Option("--precision <names...>", "weights to write (default: int8)").choices(["int8", "fp32", "int4"]),
    )
    .option(
      "--context <n>",
      "most tokens of prompt and completion (default: 2048, or fewer where the model has)",
      integer,
    )
    .option("--name <org/name>", "its name in the manifest")
    .option("--licence <id>", "its licence in the manifest, where the file does not say")
    .option("--tokenizer <file>", "a tokenizer.json, where the source has none that can be used")
    .option("--calibrate <file>", "a text of a few passages; int8 weights are fitted to it, nearer to float32")
    .option("--drafter <file>", "a diffusion drafter made for the model (safetensors)")
    .option("--ngram <file>", "a token n-gram of the model's vocabulary, for the path search")
    .option("--json", "print one JSON object and nothing else")
    .showHelpAfterError("Try `diffuspec --help`.")
    .action(async (source: string, flags: ImportFlags) => done(await importCommand(terminal, source, flags)));

  program
    .command("export")
    .argument("<source>", "a model directory, a .gguf file, or the folder of a Hugging Face model")
    .description("Write a Llama, Qwen2 or Qwen3 model as transformers.js runs it.")
    .requiredOption("--out <dir>", "where to write it; must not exist")
    .addOption(new Option("--dtype <names...>", "weights to write (default: q8)").choices(["fp32", "q8", "q4"]))
    .option(
      "--context <n>",
      "most tokens of prompt and completion (default: 2048, or fewer where the model has)",
      integer,
    )
    .option("--tokenizer <file>", "a tokenizer.json, where the source has none that can be used")
    .option("--json", "print one JSON object and nothing else")
    .showHelpAfterError("Try `diffuspec --help`.")
    .action(async (source: string, flags: ExportFlags) => done(await exportCommand(terminal, source, flags)));

  program
    .command("pairs")
    .description("List the pairs --model knows by name: sizes, licences, whether they are here, what was measured.")
    .addOption(registryOption())
    .option("--json", "print one JSON object and nothing else")
    .showHelpAfterError("Try `diffuspec --help`.")
    .action(async (flags: PairsFlags) => done(await pairsCommand(terminal, flags)));

  program
    .command("pull")
    .argument("<name>", "a pair of `diffuspec pairs`")
    .description("Download a pair from a hub and make a model directory of it. Goes on where it was stopped.")
    .option("--out <dir>", "where to write it (default: the cache, where --model NAME finds it)")
    .option("--hub <url>", `the hub (default: HF_ENDPOINT, else ${DEFAULT_HUB})`)
    .addOption(registryOption())
    .addOption(
      new Option("--precision <names...>", "weights to write (default: what the registry says)").choices(
        PRECISION_NAMES,
      ),
    )
    .option("--calibrate <file>", "a text of a few passages; int8 weights are fitted to it, nearer to float32")
    .option("--keep-source", "keep the downloaded files beside the model, in DIR.pull")
    .option("--json", "print one JSON object and nothing else")
    .showHelpAfterError("Try `diffuspec --help`.")
    .action(async (name: string, flags: PullFlags) => done(await pullCommand(terminal, name, flags)));

  return program;
}

const registryOption = () =>
  new Option("--registry <file>", "a registry of pairs of your own, looked through before the built-in one");

const withModel = (command: Command): Command =>
  command
    .option(
      "--model <name>",
      'a pair of `diffuspec pairs`, "org/name", or a directory as ./path or /path, imported or as published for transformers.js (default: tiny-js)',
    )
    .addOption(registryOption())
    .addOption(
      new Option("--precision <name>", "weights of an imported model (default: int8)").choices(PRECISION_NAMES),
    )
    .addOption(
      new Option("--dtype <name>", "weights of a published model (default: fp32, else what is there)").choices(
        DTYPE_NAMES,
      ),
    )
    .addOption(
      new Option(
        "--exactness <name>",
        "tolerant runs graphs whose rows depend on each other; drafts may then turn near ties",
      ).choices(["exact", "tolerant"]),
    )
    .option(
      "--drafter-model <dir>",
      "a published full-canvas diffusion model as the drafter (its tokenizer.json beside it)",
    )
    .addOption(new Option("--drafter-preset <name>", "the family of --drafter-model").choices(CANVAS_PRESET_NAMES))
    .option(
      "--threads <n>",
      'threads of one operator, or "measure" to try one and the default (default: one a core, at most 4)',
      (text) => (text === "measure" ? text : integer(text)),
    )
    .showHelpAfterError("Try `diffuspec --help`.");

const HELP = `
Standard output gets the text, or the JSON object; everything else goes to standard error.

Exit codes:
  0    done; with --compare: the tokens are equal
  1    failed while running; with --compare: the tokens differ
  2    the command line is wrong
  130  interrupted

Environment:
  HF_ENDPOINT=URL     the hub of \`diffuspec pull\`
  HF_TOKEN=...        sent to that hub, and nowhere else
  DIFFUSPEC_CACHE     where pulled models lie (default: the platform's cache directory)
  NO_COLOR=1          no colours
  DIFFUSPEC_DEBUG=1   errors with their stack

Examples:
  diffuspec generate "function add(" --max-tokens 64 --stats
  cat prompt.js | diffuspec generate --temperature 0.7 --seed 1 --json
  diffuspec generate "const fs = " --compare
  diffuspec generate --model ./models/smollm2-135m --drafter prompt-lookup --chat "Why is the sky blue?"
  diffuspec generate --model ./SmolLM2-135M-Instruct --dtype q4 --chat "Why is the sky blue?"
  diffuspec inspect
  diffuspec pairs
  diffuspec pull smollm2-135m
  diffuspec import SmolLM2-135M-Instruct.Q4_1.gguf --out models/smollm2-135m
  diffuspec export models/smollm2-135m --out smollm2-js --dtype q8 q4`;

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It is no number.");
  return value;
}

function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError("It is no whole number.");
  return Number(text);
}

const collect = (text: string, before: string[] = []): string[] => [...before, text];
