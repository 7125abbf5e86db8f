import type { AblationsResult, SetResult } from "./ablations-measure.ts";
import { NONE, one, percent, range, settingsOf, table, times, two } from "./markdown.ts";
import { labelOf } from "./methods.ts";
import type { MethodRow } from "./speed-summary.ts";

/** The tables of a result, in Markdown that also reads well in a terminal. */
export function ablationTables(result: AblationsResult): string {
  const { pair, suite, prompts, maxTokens, sampling, sets, identical } = result;
  return [
    `${pair}: ${prompts} prompts of the suite "${suite}", at most ${maxTokens} tokens each, ${settingsOf(sampling)}. The diffusion model drafts in every round, but for the line "${labelOf("diffuspec")}", which ran beside each set.`,
    identical
      ? "Every completion equals plain AR's (exact), token for token."
      : `NOT IDENTICAL in the sets ${sets.flatMap((set) => (set.differing ? [set.name] : [])).join(", ")}.`,
    answerLine(result),
    "",
    ...sets.flatMap((set) => [`### ${set.title}`, "", setTable(set), ...leftOut(set), ""]),
  ].join("\n");
}

function setTable({ arExact, diffuspec, settings }: SetResult): string {
  const row = (method: MethodRow, name: string) => [
    name,
    one(method.tokensPerSecond),
    times(method.speedup),
    range(method.speedupInterval),
    times(method.nonLoopingSpeedup),
    two(method.meanAcceptedTokens),
    two(meanLength(method)),
    ...[method.shares.draft, method.shares.search, method.shares.verify].map(percent),
  ];
  const header = [
    "tokens/s",
    "speed-up",
    "95 %",
    "not looping",
    "tokens a round",
    "mean k",
    "draft",
    "search",
    "verify",
  ];
  return table(
    ["", ...header],
    [
      [labelOf("arExact"), one(arExact.tokensPerSecond), times(1), NONE, NONE, two(1), NONE, NONE, NONE, NONE],
      row(diffuspec, labelOf("diffuspec")),
      ...settings.map((setting) => row(setting, setting.name)),
    ],
  );
}

/** Mean draft length asked for, over all rounds. */
function meanLength({ lengths, rounds }: MethodRow): number | null {
  const sum = Object.entries(lengths).reduce((total, [k, count]) => total + Number(k) * count, 0);
  return rounds > 0 ? sum / rounds : null;
}

const leftOut = ({ leftOut: out }: SetResult) =>
  out.length > 0 ? ["", `Left out: ${out.map(({ name, why }) => `${name} (${why})`).join("; ")}.`] : [];

function answerLine({ answer }: AblationsResult): string {
  if (answer === null) return "";
  const { length, steps, forSpeed, forAccepted } = answer;
  const said = ({ best, worst, speedFactor, acceptedFactor }: typeof length) =>
    `${best.name} writes ${speedFactor.toFixed(2)} times as fast as ${worst.name}, tokens a round differ by a factor of ${acceptedFactor.toFixed(2)}`;
  const verdict = forSpeed === forAccepted ? forSpeed : `${forSpeed} for speed, ${forAccepted} for tokens a round`;
  return `What matters more, length or steps? Here ${verdict}. Length: ${said(length)}. Steps: ${said(steps)}.`;
}
