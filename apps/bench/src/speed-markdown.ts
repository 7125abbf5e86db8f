import { NONE, one, percent, range, settingsOf, table, times, two } from "./markdown.ts";
import { labelOf } from "./methods.ts";
import { peerTables } from "./peers-markdown.ts";
import type { SpeedResult } from "./speed-measure.ts";
import { PARTS } from "./speed-summary.ts";

/** The tables of a result, in Markdown that also reads well in a terminal. */
export function speedTables(result: SpeedResult): string {
  const { methods, categories, ar, arExact } = result;
  const overExact = ar.tokensPerSecond / arExact.tokensPerSecond;
  const speed = table(
    [
      "",
      "tokens/s",
      "speed-up",
      "95 %",
      "end to end",
      "not looping",
      "95 %",
      "tokens a round",
      "by prompt",
      "first token",
    ],
    [
      [labelOf("ar"), one(ar.tokensPerSecond), times(overExact), NONE, endToEnd(ar), NONE, NONE, NONE, NONE, ms(ar)],
      [
        labelOf("arExact"),
        one(arExact.tokensPerSecond),
        times(1),
        NONE,
        times(1),
        NONE,
        NONE,
        two(1),
        two(1),
        ms(arExact),
      ],
      ...methods.map((row) => [
        labelOf(row.name),
        one(row.tokensPerSecond),
        times(row.speedup),
        range(row.speedupInterval),
        endToEnd(row),
        times(row.nonLoopingSpeedup),
        row.nonLoopingSpeedupInterval ? range(row.nonLoopingSpeedupInterval) : NONE,
        two(row.meanAcceptedTokens),
        two(row.meanAcceptedTokensMacro),
        ms(row),
      ]),
    ],
  );
  const names = categories.map(({ category }) => category);
  const byCategory = (title: string, cell: (row: (typeof categories)[number]["methods"][number]) => string) =>
    table(
      [title, ...names],
      methods.map(({ name }) => [
        labelOf(name),
        ...categories.map((category) => cell(category.methods.find((row) => row.name === name)!)),
      ]),
    );
  const shares = table(
    ["share of decoding", ...PARTS],
    methods.map((row) => [labelOf(row.name), ...PARTS.map((part) => percent(row.shares[part]))]),
  );
  return [
    headline(result),
    verdict(result),
    ...result.missing.map(({ name, why }) => `Not run: ${labelOf(name)} (${why}).`),
    ...losses(result),
    "",
    speed,
    "",
    byCategory("speed-up", (row) => times(row.speedup)),
    "",
    byCategory("tokens a round", (row) => two(row.meanAcceptedTokens)),
    "",
    shares,
    "",
    ...othersOf(result),
  ].join("\n");

  function endToEnd(row: { readonly endToEndTokensPerSecond: number }): string {
    return times(row.endToEndTokensPerSecond / arExact.endToEndTokensPerSecond);
  }
}

/** The other programs, the fastest of them in words. */
function othersOf(result: SpeedResult): string[] {
  const { peers = [], sampling } = result;
  const [fastest] = [...peers].sort((a, b) => (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0));
  if (fastest === undefined) return peerTables(result);
  const { name, arOverPeer, diffuspecOverPeer } = fastest;
  const greedy = Object.keys(sampling).length > 0 ? " They write greedily, without our sampler." : "";
  return [
    `The fastest of the others is ${name}: plain AR (one row) writes ${times(arOverPeer)}, DiffuSpec ${times(diffuspecOverPeer)} its tokens a second.${greedy}`,
    "",
    ...peerTables(result),
  ];
}

const ms = ({ firstTokenMs }: { readonly firstTokenMs: number }) => `${firstTokenMs.toFixed(1)} ms`;

function headline({
  pair,
  suite,
  prompts,
  nonLooping,
  repeats,
  tokens,
  maxTokens,
  sampling,
  peakRssMiB,
  threads,
}: SpeedResult) {
  const times = repeats > 1 ? `, each ${repeats} times` : "";
  return `${pair}, ${threads} ${threads === 1 ? "thread" : "threads"}: ${prompts} prompts of the suite "${suite}"${times}, ${tokens} tokens, at most ${maxTokens} each, ${settingsOf(sampling)}; ${nonLooping} completions do not loop. All methods in one process, at most ${peakRssMiB} MiB.`;
}

function verdict({ identical, differing = [], ar, prompts, repeats }: SpeedResult): string {
  const one = `Plain AR in one row (${ar.graph}) takes other kernels: it differs on ${ar.differsFromExact} of ${prompts * repeats}.`;
  if (identical) return `Every completion of every drafting method equals plain AR's (exact), token for token. ${one}`;
  return `NOT IDENTICAL: ${JSON.stringify(differing.slice(0, 5))}, ${differing.length} in all. ${one}`;
}

/** Where the default loses, first of all. */
function losses({ methods, arExact }: SpeedResult): string[] {
  const own = methods.find(({ name }) => name === "diffuspec");
  if (own === undefined) return [];
  const faster = [{ name: "arExact", ...arExact }, ...methods].filter(
    (row) => row.tokensPerSecond > own.tokensPerSecond,
  );
  return faster.map(({ name }) => `DiffuSpec is slower than ${labelOf(name)}.`);
}
