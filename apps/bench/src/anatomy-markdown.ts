import { type AnatomyResult, LAYERS } from "./anatomy-measure.ts";
import { percent, settingsOf, table, two } from "./markdown.ts";
import { labelOf } from "./methods.ts";
import { PARTS } from "./speed-summary.ts";

/** Aim for what is not model arithmetic. */
const MOST = 0.05;

export const LABELS = { model: "model", handOver: "hand-over", script: "script" } as const;

/** The tables of a result, in Markdown that also reads well in a terminal. */
export function anatomyTables(result: AnatomyResult): string {
  const { pair, suite, prompts, maxTokens, sampling, threads, methods, identical, bytesPerId } = result;
  const rounds = table(
    ["ms a round", ...PARTS, "all", "watched", "not model"],
    methods.map(({ name, round, watchedRound, nonModelShare }) => [
      labelOf(name),
      ...PARTS.map((part) => two(round[part])),
      ...[round, watchedRound].map((of) => two(PARTS.reduce((sum, part) => sum + of[part], 0))),
      percent(nonModelShare),
    ]),
  );
  const layers = table(
    [
      "ms a round, watched",
      ...LAYERS.map((layer) => `draft: ${LABELS[layer]}`),
      "search",
      ...LAYERS.map((layer) => `verify: ${LABELS[layer]}`),
      "rest",
      "KB out",
    ],
    methods.map(({ name, draft, verify, watchedRound }) => [
      labelOf(name),
      ...LAYERS.map((layer) => two(draft[layer])),
      two(watchedRound.search),
      ...LAYERS.map((layer) => two(verify[layer])),
      two(watchedRound.rest),
      ((draft.outputBytes + verify.outputBytes) / 1000).toFixed(0),
    ]),
  );
  const above = methods.filter(({ nonModelShare }) => nonModelShare > MOST);
  return [
    `${pair}, ${threads} ${threads === 1 ? "thread" : "threads"}: ${prompts} prompts of the suite "${suite}", at most ${maxTokens} tokens each, ${settingsOf(sampling)}. "Hand-over" is what a graph of the same inputs and outputs without a model takes, run behind every pass of the pair that is watched (its time is taken out), "script" JavaScript around the passes. "Not model" is all but the model, of the median prompt.`,
    `A round copies its outputs and the keys and values of the rows it keeps (${bytesPerId} bytes each for the target), whatever the context. Within the model attention copies as much for every id of the context.`,
    identical
      ? "Watched or not, every completion equals plain AR's (exact)."
      : "NOT IDENTICAL: a run that was watched, or a method, wrote other ids.",
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
