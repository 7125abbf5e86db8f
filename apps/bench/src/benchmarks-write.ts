import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { byTask, PARTS, roundAnatomy, section, taskLabels } from "./benchmarks-markdown.ts";
import { groupedBars, stackedBars } from "./chart.ts";
import type { Circumstances } from "./circumstances.ts";
import type { SpecBenchResult } from "./spec-bench-measure.ts";
import { LABELS } from "./spec-bench-names.ts";

/** What `spec-bench --out` writes, as far as it is read here. */
export interface ResultFile {
  readonly sittings: readonly Circumstances[];
  readonly result: SpecBenchResult;
}

/** @throws an Error where the file is not one of spec-bench */
export function readResult(file: string): ResultFile {
  const refuse = (why: string) => new Error(`${file} is no result of spec-bench: ${why}. Write one with --out.`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw refuse((cause as Error).message);
  }
  const { result, sittings = [] } = (value ?? {}) as Partial<ResultFile>;
  if (!Array.isArray(result?.tasks) || !Array.isArray(result.means)) throw refuse("it has no tasks");
  return { result, sittings };
}

/**
 * Puts the section of a result into a Markdown file, between two comments that name the pair, and its plots into the folder
 * beside it that has the file's name. What else the file says stays. Gives the paths written.
 */
export function writeBenchmarks(out: string, { result, sittings }: ResultFile): string[] {
  const folder = out.replace(/\.md$/, "");
  if (folder === out) throw new Error(`--out is ${out}; it takes a Markdown file, as docs/benchmarks.md.`);
  const name = result.pair.replace(/[^A-Za-z0-9._-]/g, "-");
  const image = (kind: string) => join(folder, `${name}-${kind}.svg`);
  const link = (kind: string) => `${basename(folder)}/${name}-${kind}.svg`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(image("speedup"), speedupChart(result));
  writeFileSync(image("round"), roundChart(result));

  const [begin, end] = [`<!-- spec-bench ${name}: begin -->`, `<!-- spec-bench ${name}: end -->`];
  const body = `${begin}\n${section(result, sittings, { speedup: link("speedup"), round: link("round") })}${end}`;
  const before = existsSync(out) ? readFileSync(out, "utf8") : "# Benchmarks\n";
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if ((from === -1) !== (to === -1) || to < from)
    throw new Error(`${out} has one of "${begin}" and "${end}" without the other. Restore or remove both.`);
  const text =
    from === -1 ? `${before.trimEnd()}\n\n${body}\n` : before.slice(0, from) + body + before.slice(to + end.length);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, text);
  return [out, image("speedup"), image("round")];
}

function speedupChart(result: SpecBenchResult): string {
  const chart = {
    title: `Speed-up of decoding by task: ${result.pair}`,
    axis: "tokens a second over those of plain AR (exact) in the same run; the dashed line is 1",
    categories: [...taskLabels(result), "mean"],
    series: result.means.map((mean) => ({
      name: LABELS[mean.name],
      values: [...byTask(result, mean.name, (row) => row.speedup), mean.speedup],
    })),
  };
  return groupedBars(chart, 1);
}

function roundChart(result: SpecBenchResult): string {
  const anatomy = roundAnatomy(result);
  return stackedBars({
    title: `What a round is made of: ${result.pair}`,
    axis: "milliseconds a verification round, over all tasks",
    categories: anatomy.map(({ name }) => LABELS[name]),
    series: PARTS.map((name, part) => ({ name, values: anatomy.map(({ parts }) => parts[part]!) })),
  });
}
