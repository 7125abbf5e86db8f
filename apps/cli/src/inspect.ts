import type { Inspection } from "diffuspec";
import { EXIT } from "./exit.ts";
import { type ModelFlags, modelOptions } from "./model-flags.ts";
import { bytes, ms, printJson } from "./report.ts";
import type { Terminal } from "./terminal.ts";

export interface InspectFlags extends ModelFlags {
  readonly quick?: boolean;
  readonly json?: boolean;
}

/** `diffuspec inspect`: loads in tolerant mode, so that a graph that exact mode would refuse can be looked at. */
export async function inspect(terminal: Terminal, flags: InspectFlags): Promise<number> {
  const { signal } = terminal;
  const model = await terminal.load({ ...modelOptions(flags), drafter: "none", exactness: "tolerant", signal });
  try {
    const inspection = await model.inspect({ thorough: !flags.quick, signal });
    if (flags.json) printJson(terminal, inspection);
    else terminal.stdout.write(describe(inspection));
    return EXIT.ok;
  } finally {
    await model.dispose();
  }
}

function describe({ info, rowExactness, timeByRows, pastLength }: Inspection): string {
  const part = ({ layers, width }: Inspection["info"]["target"]) =>
    layers === undefined ? "published, of unnamed size" : `${layers} layers x ${width}`;
  const total = info.files.reduce((sum, file) => sum + file.bytes, 0);
  const nameWidth = Math.max(...info.files.map((file) => file.name.length));
  const found = rowExactness.firstDifference;
  return [
    `model       ${info.model} (${info.licence})`,
    `directory   ${info.directory}`,
    `target      ${part(info.target)}, ${info.vocabularySize} ids, context ${info.contextLength}`,
    `drafter     ${info.draftModel ? part(info.draftModel) : "none"}; n-gram ${info.ngram ?? "of the text at hand"}`,
    `can draft   ${info.drafters.join(", ")}`,
    `runs as     ${info.precision}, ${info.threads} thread${info.threads === 1 ? "" : "s"}`,
    "",
    ...info.files.map((file) => `  ${file.name.padEnd(nameWidth)}  ${bytes(file.bytes).padStart(10)}`),
    `  ${"in all".padEnd(nameWidth)}  ${bytes(total).padStart(10)}`,
    "",
    found === undefined
      ? `row-exact   yes: ${rowExactness.passes} passes compared bit for bit in ${ms(rowExactness.ms)}`
      : `row-exact   NO: ${found.output} of row ${found.row} is ${found.actual} in a pass of ${found.rowCount} rows and ${found.expected} in another`,
    "",
    `one pass behind ${pastLength} tokens, median`,
    ...timeByRows.map(
      ({ rows, ms: time, ratio }) =>
        `  ${String(rows).padStart(3)} rows  ${ms(time).padStart(10)}  x${ratio.toFixed(2)}`,
    ),
    "",
  ].join("\n");
}
