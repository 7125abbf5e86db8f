import { ablationTables } from "./ablations-markdown.ts";
import type { AblationsResult, SetResult } from "./ablations-measure.ts";
import { anatomyTables, LABELS } from "./anatomy-markdown.ts";
import { type AnatomyResult, LAYERS } from "./anatomy-measure.ts";
import { groupedBars, stackedBars } from "./chart.ts";
import { lineChart } from "./line-chart.ts";
import { measuredAt } from "./markdown.ts";
import { labelOf } from "./methods.ts";
import { type ProofResult, proofTables } from "./proof-markdown.ts";
import type { Section } from "./report-section.ts";
import { speedTables } from "./speed-markdown.ts";
import type { SpeedResult } from "./speed-measure.ts";

/** Greedy and sampled runs of a pair, and runs on another suite, stand side by side. */
function nameOf(result: Pick<SpeedResult, "pair" | "suite"> & Partial<Pick<SpeedResult, "sampling">>): string {
  const { pair, suite, sampling = {} } = result;
  const own = suite === "code" || suite === "instructions" ? [] : [suite];
  return [pair, ...own, ...(sampling.temperature ? [`t${sampling.temperature}`] : [])].join("-");
}

const OVER_EXACT = "tokens a second over those of plain AR (exact) in the same run; the dashed line is 1";

export function speedSection(result: SpeedResult): Section {
  const { methods, categories, nonLooping } = result;
  const find = (rows: (typeof categories)[number]["methods"], name: string) => rows.find((row) => row.name === name)!;
  const speedup = {
    title: `Speed-up of decoding by category: ${result.pair}`,
    axis: OVER_EXACT,
    categories: [...categories.map(({ category }) => category), "all", ...(nonLooping > 0 ? ["not looping"] : [])],
    series: methods.map((method) => ({
      name: labelOf(method.name),
      values: [
        ...categories.map((category) => find(category.methods, method.name).speedup),
        method.speedup,
        ...(nonLooping > 0 ? [method.nonLoopingSpeedup] : []),
      ],
    })),
  };
  return {
    kind: "speed",
    name: nameOf(result),
    images: { categories: groupedBars(speedup, 1) },
    body: (link) =>
      [
        `## Speed: ${nameOf(result)}`,
        "",
        `${measuredAt([result.circumstances])} Speed-ups are of decoding, over plain AR (exact) in the same run.`,
        "",
        `![Speed-up by category](${link("categories")})`,
        "",
        speedTables(result),
      ].join("\n"),
  };
}

export function anatomySection(result: AnatomyResult): Section {
  const { methods } = result;
  const layers = (model: "draft" | "verify") =>
    LAYERS.map((layer) => ({
      name: `${model}: ${LABELS[layer]}`,
      values: methods.map((method) => Math.max(0, method[model][layer])),
    }));
  const chart = stackedBars({
    title: `Anatomy of a round: ${result.pair}`,
    axis: "milliseconds a verification round",
    categories: methods.map(({ name }) => labelOf(name)),
    series: [
      ...layers("draft"),
      { name: "search", values: methods.map(({ watchedRound }) => watchedRound.search) },
      ...layers("verify"),
      { name: "rest", values: methods.map(({ watchedRound }) => watchedRound.rest) },
    ],
  });
  return {
    kind: "anatomy",
    name: nameOf(result),
    images: { anatomy: chart },
    body: (link) =>
      [
        `## Anatomy of a round: ${nameOf(result)}`,
        "",
        measuredAt([result.circumstances]),
        "",
        `![Anatomy of a round](${link("anatomy")})`,
        "",
        anatomyTables(result),
      ].join("\n"),
  };
}

export function ablationsSection(result: AblationsResult): Section {
  const set = (name: string) => result.sets.find((one) => one.name === name);
  const [length, steps] = [set("length"), set("steps")];
  const images = {
    ...(length && {
      "mat-by-k": mat(`Tokens a round by draft length k: ${result.pair}`, length, "k"),
      "lengths-by-k": drafted(result.pair, length),
    }),
    ...(steps && {
      "speedup-by-s": speedups(`Speed-up by refinement steps S: ${result.pair}`, steps, "S"),
      "mat-by-s": mat(`Tokens a round by refinement steps S: ${result.pair}`, steps, "S"),
    }),
  };
  return {
    kind: "ablations",
    name: nameOf(result),
    images,
    body: (link) =>
      [
        `## Ablations: ${nameOf(result)}`,
        "",
        measuredAt([result.circumstances]),
        "",
        ...Object.keys(images).flatMap((image) => [`![${image.replaceAll("-", " ")}](${link(image)})`, ""]),
        ablationTables(result),
      ].join("\n"),
  };
}

export function proofSection(result: ProofResult): Section {
  const name = nameOf(result);
  return {
    kind: "proof",
    name,
    images: {},
    body: () => [`## Proof: ${name}`, "", measuredAt(result.sittings), "", proofTables(result)].join("\n"),
  };
}

const xs = ({ settings }: SetResult) => settings.map(({ x }) => x!);

const mat = (title: string, set: SetResult, x: string) =>
  lineChart({
    title,
    axis: `committed tokens a verification round, over ${x}`,
    x: xs(set),
    series: [
      { name: "all", values: set.settings.map((row) => row.meanAcceptedTokens) },
      { name: "not looping", values: set.settings.map((row) => row.nonLoopingMeanAcceptedTokens) },
    ],
  });

const speedups = (title: string, set: SetResult, x: string) =>
  lineChart({
    title,
    axis: `${OVER_EXACT.split(";")[0]}, over ${x}`,
    x: xs(set),
    series: [
      { name: "all", values: set.settings.map((row) => row.speedup) },
      { name: "not looping", values: set.settings.map((row) => row.nonLoopingSpeedup) },
    ],
  });

/** As in the paper's motivation: rounds that asked for k, and no less near the end of a completion. */
function drafted(pair: string, set: SetResult): string {
  const at = (of: (row: SetResult["settings"][number]["byLength"][number]) => number) =>
    set.settings.map(({ x, byLength }) => {
      const row = byLength.find(({ length }) => length === x);
      return row ? of(row) : null;
    });
  return lineChart({
    title: `Generated and accepted length by k: ${pair}`,
    axis: "mean tokens a round with a draft of k, over k",
    x: xs(set),
    series: [
      { name: "L_gen", values: at((row) => row.meanGenerated) },
      { name: "L_acc", values: at((row) => row.meanAccepted) },
    ],
  });
}
