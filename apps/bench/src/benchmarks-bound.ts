import { table, times, two } from "./markdown.ts";
import type { SpecBenchResult } from "./spec-bench-measure.ts";
import { LABELS } from "./spec-bench-names.ts";
import { ownRows } from "./spec-bench-summary.ts";

/** Times plain AR; the paper has 3.08 on its own models. */
const AIM = 3;

/** What a method would reach if parts of a round cost nothing, and what its rounds would have to bring for `AIM`; means of the tasks. */
export function boundTable({ tasks, means }: SpecBenchResult): string {
  const rows = means.map(({ name, speedup, meanAcceptedTokens }) => {
    const own = tasks.flatMap(({ methods, arExact }) => {
      const row = ownRows({ methods }).find((method) => method.name === name && method.rounds > 0);
      if (row === undefined) return [];
      const drafting = row.draftMs + row.searchMs;
      const passes = row.decodeMs / row.rounds / (arExact.decodeMs / arExact.rounds);
      return [{ free: (row.speedup * row.decodeMs) / (row.decodeMs - drafting), needed: AIM * passes }];
    });
    return [
      LABELS[name],
      times(speedup),
      times(own.length > 0 ? mean(own.map(({ free }) => free)) : null),
      times(meanAcceptedTokens),
      two(own.length > 0 ? mean(own.map(({ needed }) => needed)) : null),
    ];
  });
  return table(
    ["", "measured", "drafts free", "further rows free too", `tokens a round for ${AIM} times, at what it costs`],
    rows,
  );
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
