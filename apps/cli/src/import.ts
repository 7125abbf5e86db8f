import { basename, join, resolve } from "node:path";
import { type ImportProgress, importModel, type Precision } from "@diffuspec/model-import";
import { calibrateWith } from "./calibrate.ts";
import { EXIT } from "./exit.ts";
import { bytes, printJson } from "./report.ts";
import type { Terminal } from "./terminal.ts";

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
    onProgress: progressLine(terminal),
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
        `Try: diffuspec generate "Once upon a time" --model ${result.dir} ${drafter ? "" : " --drafter prompt-lookup"}\n`,
    );
  }
  return EXIT.ok;
}

const defaultOut = (source: string) => join("models", basename(resolve(source)).replace(/\.gguf$/i, ""));

/** One line that is written over and over, and gone at the end; nothing where standard error is no terminal. */
function progressLine({ stderr }: Terminal): (progress: ImportProgress) => void {
  if (!stderr.isTTY) return () => {};
  let shown = "";
  return ({ phase, done, total }) => {
    const line = `${phase === "weights" ? "converting" : "hashing"} ${bytes(total)}: ${Math.floor((100 * done) / total)} %`;
    if (line === shown) return;
    shown = line;
    const end = phase === "hash" && done === total;
    stderr.write(end ? "\r\x1b[K" : `\r\x1b[K${line}`);
  };
}
