import type { CallOptions, CompletionResult, DrafterName, Model, Prompt } from "diffuspec";
import { compare } from "./compare.ts";
import { EXIT, UsageError } from "./exit.ts";
import { type ModelFlags, modelOptions } from "./model-flags.ts";
import { createRenderer } from "./renderer.ts";
import { printJson, statsLines } from "./report.ts";
import { colorsFor, readAll, type Terminal } from "./terminal.ts";

/** As the argument parser names them. */
export interface GenerateFlags extends ModelFlags {
  readonly drafter?: DrafterName;
  readonly draft: boolean;
  readonly compare?: boolean;
  readonly chat?: boolean;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly minTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly dryMultiplier?: number;
  readonly dryBase?: number;
  readonly dryAllowedLength?: number;
  readonly stop?: string[];
  readonly json?: boolean;
  readonly stats?: boolean;
  readonly color?: boolean;
}

const CALL_KEYS = [
  "maxTokens",
  "minTokens",
  "temperature",
  "seed",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "dryMultiplier",
  "dryBase",
  "dryAllowedLength",
  "stop",
] as const satisfies readonly (keyof CallOptions)[];

/** `diffuspec generate` */
export async function generate(
  terminal: Terminal,
  argument: string | undefined,
  flags: GenerateFlags,
): Promise<number> {
  const chosen = chosenDrafter(flags);
  if (flags.system !== undefined && !flags.chat) throw new UsageError("--system needs --chat. Add it.");
  const prompt = await readPrompt(terminal, argument);
  const { signal } = terminal;
  const model = await terminal.load({ ...modelOptions(flags), ...(chosen && { drafter: chosen }), signal });
  try {
    const { drafter } = model.info;
    if (flags.compare && drafter === "none") throw new UsageError("--compare needs drafts, and this pair has none.");
    const options: CallOptions = { ...pick(flags), signal };
    return await (flags.compare ? compare : single)({
      terminal,
      model,
      prompt,
      input: inputOf(prompt, flags),
      options,
      flags,
      drafter,
    });
  } finally {
    await model.dispose();
  }
}

/** One run of the command, ready to go. */
export interface Job {
  readonly terminal: Terminal;
  readonly model: Model;
  readonly prompt: string;
  /** The prompt, or the conversation it opens. */
  readonly input: Prompt;
  readonly options: CallOptions;
  readonly flags: GenerateFlags;
  readonly drafter: DrafterName;
}

async function single(job: Job): Promise<number> {
  const { terminal, model, prompt, flags, drafter } = job;
  const result = await show(job);
  if (flags.json) printJson(terminal, { model: model.info.model, drafter, prompt, ...plain(result) });
  else if (flags.stats) terminal.stderr.write(statsLines(result.stats));
  return EXIT.ok;
}

/** Runs the job and, unless JSON is wanted, writes the text as it comes. */
export async function show({ terminal, model, prompt, input, options, flags }: Job): Promise<CompletionResult> {
  if (flags.json) return model.complete(input, options);
  const renderer = createRenderer(terminal.stdout, colorsFor(terminal, flags.color), Boolean(terminal.stdout.isTTY));
  if (!flags.chat) renderer.begin(prompt);
  let result: CompletionResult | undefined;
  try {
    for await (const event of model.generate(input, options)) {
      if (event.type === "tokens") await renderer.tokens(event);
      else result = event;
    }
  } finally {
    renderer.end();
  }
  return result!;
}

/** A result as JSON has it: ids as an array. */
export function plain({ text, ids, finishReason, stats }: CompletionResult) {
  return { text, ids: Array.from(ids), finishReason, stats };
}

/** Undefined where the pair's own default counts. */
function chosenDrafter(flags: GenerateFlags): DrafterName | undefined {
  const { drafter, draft, compare: comparing } = flags;
  if (!draft && drafter !== undefined && drafter !== "none")
    throw new UsageError("--no-draft and --drafter exclude each other. Leave one out.");
  const name = draft ? drafter : "none";
  if (comparing && name === "none") throw new UsageError("--compare needs drafts. Leave --no-draft out.");
  return name;
}

/** With --chat the prompt is what the user says. */
function inputOf(prompt: string, { chat, system }: GenerateFlags): Prompt {
  if (!chat) return prompt;
  const before = system === undefined ? [] : [{ role: "system", content: system }];
  return { messages: [...before, { role: "user", content: prompt }] };
}

async function readPrompt(terminal: Terminal, argument: string | undefined): Promise<string> {
  if (argument !== undefined && argument !== "-") return argument;
  if (argument === undefined && terminal.stdin.isTTY)
    throw new UsageError('There is no prompt. Pass one, or "-" to type it and end with Ctrl-D.');
  return (await readAll(terminal)).replace(/\r?\n$/, "");
}

function pick(flags: GenerateFlags): CallOptions {
  return Object.fromEntries(CALL_KEYS.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]));
}
