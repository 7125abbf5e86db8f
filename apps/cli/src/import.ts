import { basename, join, resolve } from "node:path";
import { type ImportProgress, importModel, type Precision } from "@diffuspec/model-import";
import { calibrateWith } from "./calibrate.ts";
import { EXIT } from "./exit.ts";
import { bytes, printJson } from "./report.ts";
import { progressLine, type Terminal } from "./terminal.ts";

export interface ImportFlags {
  readonly out?: string;
  readonly precision?: readonly Precision[];
  readonly context?: number;
  readonly name?: string;
  readonly licence?: string;
  readonly tokenizer?: string;
  readonly calibrate?: string;
  readonly drafter?: string;
  readonly ngram?: string;
  readonly json?: boolean;
}

/** `diffuspec import`: a GGUF file or a folder of safetensors becomes a model directory. */
export async function importCommand(terminal: Terminal, source: string, flags: ImportFlags): Promise<number> {
  const {
    out = defaultOut(source),
    precision,
    context,
    name,
    licence,
    tokenizer,
    calibrate,
    drafter,
    ngram,
    json,
  } = flags;
  const result = await importModel({
    source,
    out,
    signal: terminal.signal,
    onProgress: importProgress(terminal),
    ...(precision && { precision }),
    ...(context !== undefined && { contextLength: context }),
    ...(name !== undefined && { name }),
    ...(licence !== undefined && { licence }),
    ...(tokenizer !== undefined && { tokenizer }),
    ...(drafter !== undefined && { drafter }),
    ...(ngram !== undefined && { ngram }),
    ...(calibrate !== undefined && { calibrate: await calibrateWith(calibrate, terminal.signal) }),
  });
  if (json) printJson(terminal, result);
  else {
    const total = Object.values(result.files).reduce((a, b) => a + b, 0);
    terminal.stdout.write(
      `${result.name}: ${result.config.family}, ${(result.parameters / 1e6).toFixed(0)}M parameters, ${bytes(total)} in ${result.dir}\n` +
        `Try: diffuspec generate "Once upon a time" --model ${result.dir}${drafter ? "" : " --drafter prompt-lookup"}${precisionFlag(precision)}\n`,
    );
  }
  return EXIT.ok;
}

/** What a command line needs where the default weights were not written. */
export const precisionFlag = (written: readonly Precision[] | undefined): string =>
  written === undefined || written.includes("int8") ? "" : ` --precision ${written[0]}`;

const defaultOut = (source: string) => join("models", basename(resolve(source)).replace(/\.gguf$/i, ""));

export function importProgress(terminal: Terminal): (progress: ImportProgress) => void {
  const show = progressLine(terminal);
  return ({ phase, done, total }) =>
    show(phase === "weights" ? "converting" : "hashing", done, total, phase === "hash" && done === total);
}
