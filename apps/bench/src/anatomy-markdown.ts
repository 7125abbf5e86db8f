import { type AnatomyResult, LAYERS } from "./anatomy-measure.ts";
import { percent, settingsOf, table, two } from "./markdown.ts";
import { labelOf } from "./methods.ts";
import { PARTS } from "./speed-summary.ts";

/** Aim for what is not model arithmetic. */
const MOST = 0.05;

/** The tables of a result, in Markdown that also reads well in a terminal. */
export function anatomyTables(result: AnatomyResult): string {
  const { pair, suite, prompts, maxTokens, sampling, threads, methods, identical } = result;
  const rounds = table(
    ["ms a round", ...PARTS, "all", "not model", "profiled"],
    methods.map(({ name, round, nonModelShare, profiledNonModelShare }) => [
      labelOf(name),
      ...PARTS.map((part) => two(round[part])),
      two(PARTS.reduce((sum, part) => sum + round[part], 0)),
      percent(nonModelShare),
      percent(profiledNonModelShare),
    ]),
  );
  const layers = table(
    [
      "ms a round, profiled",
      ...LAYERS.map((layer) => `draft: ${layer}`),
      "search",
      ...LAYERS.map((layer) => `verify: ${layer}`),
      "rest",
    ],
    methods.map(({ name, draft, verify, profiledRound }) => [
      labelOf(name),
      ...LAYERS.map((layer) => two(draft[layer])),
      two(profiledRound.search),
      ...LAYERS.map((layer) => two(verify[layer])),
      two(profiledRound.rest),
    ]),
  );
  const above = methods.filter(({ nonModelShare }) => nonModelShare > MOST);
  return [
    `${pair}, ${threads} ${threads === 1 ? "thread" : "threads"}: ${prompts} prompts of the suite "${suite}", at most ${maxTokens} tokens each, ${settingsOf(sampling)}. "Not model" is decoding without the profiler less the kernels that it counted beside; "profiled" the same of decoding with it, an upper bound; both of the median prompt.`,
    identical
      ? "Profiled or not, every completion equals plain AR's (exact)."
      : "NOT IDENTICAL: a run under the profiler, or a method, wrote other ids.",
    ...(above.length > 0
      ? [`More than ${percent(MOST)} is not model in: ${above.map(({ name }) => labelOf(name)).join(", ")}.`]
      : []),
    "",
    rounds,
    "",
    layers,
    "",
  ].join("\n");
}
