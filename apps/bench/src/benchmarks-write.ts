import { readFileSync } from "node:fs";
import { byTask, PARTS, roundAnatomy, section, taskLabels } from "./benchmarks-markdown.ts";
import { groupedBars, stackedBars } from "./chart.ts";
import type { Circumstances } from "./circumstances.ts";
import { ablationsSection, anatomySection, proofSection, speedSection } from "./report-kinds.ts";
import { type Section, writeSection } from "./report-section.ts";
import type { SpecBenchResult } from "./spec-bench-measure.ts";
import { LABELS } from "./spec-bench-names.ts";

/** What `spec-bench --out` writes, as far as it is read here. */
export interface ResultFile {
  readonly sittings: readonly Circumstances[];
  readonly result: SpecBenchResult;
}

const KINDS = { speed: speedSection, ablations: ablationsSection, anatomy: anatomySection, proof: proofSection };

/** The section of a result file, whichever program wrote it. @throws an Error where it is none */
export function readSection(file: string): Section {
  const refuse = (why: string) => new Error(`${file} is no result of a bench: ${why}. Write one with --out.`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw refuse((cause as Error).message);
  }
  const { kind, result, sittings = [] } = (value ?? {}) as Partial<ResultFile> & { kind?: string };
  if (kind !== undefined) {
    if (!Object.hasOwn(KINDS, kind)) throw refuse(`its kind is ${JSON.stringify(kind)}`);
    return KINDS[kind as keyof typeof KINDS](result as never);
  }
  if (!Array.isArray(result?.tasks) || !Array.isArray(result.means)) throw refuse("it has no tasks");
  return specBenchSection({ result, sittings });
}

export const writeBenchmarks = (out: string, file: ResultFile): string[] => writeSection(out, specBenchSection(file));

function specBenchSection({ result, sittings }: ResultFile): Section {
  return {
    kind: "spec-bench",
    name: result.pair,
    images: { speedup: speedupChart(result), round: roundChart(result) },
    body: (link) => section(result, sittings, { speedup: link("speedup"), round: link("round") }),
  };
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
