import { type ExportDtype, exportTransformers } from "@diffuspec/model-import";
import { EXIT } from "./exit.ts";
import { bytes, printJson } from "./report.ts";
import { progressLine, type Terminal } from "./terminal.ts";

export interface ExportFlags {
  readonly out: string;
  readonly dtype?: readonly ExportDtype[];
  readonly context?: number;
  readonly tokenizer?: string;
  readonly json?: boolean;
}

/** `diffuspec export`: a model becomes a folder that transformers.js loads. */
export async function exportCommand(terminal: Terminal, source: string, flags: ExportFlags): Promise<number> {
  const { out, dtype, context, tokenizer, json } = flags;
  const show = progressLine(terminal);
  const result = await exportTransformers({
    source,
    out,
    signal: terminal.signal,
    onProgress: ({ done, total }) => show("converting", done, total, done === total),
    ...(dtype && { dtype }),
    ...(context !== undefined && { contextLength: context }),
    ...(tokenizer !== undefined && { tokenizer }),
  });
  if (json) printJson(terminal, result);
  else {
    const total = Object.values(result.files).reduce((a, b) => a + b, 0);
    terminal.stdout.write(`${bytes(total)} in ${result.dir}\n`);
  }
  return EXIT.ok;
}
