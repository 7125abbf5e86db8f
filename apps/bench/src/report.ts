import type { SamplerOptions } from "@diffuspec/spec-loop";
import type { Trial } from "./interleave.ts";
import { isDrafting, LABELS, type MethodName } from "./methods.ts";
import type { Pair } from "./pair.ts";
import { type Divergence, divergences, type MethodSummary, nonLooping, round, summarise } from "./summary.ts";

export type Report = ReturnType<typeof report>;

/** The demo's object: every method, the non-looping prompts apart, and whether all completions equal arExact's. */
export function report(pair: Pair, trials: readonly Trial[], names: readonly MethodName[]) {
  const drafting = names.filter(isDrafting);
  const differing = divergences(trials, drafting);
  const all = Object.fromEntries(names.map((name) => [name, summarise(trials, name)])) as Record<
    MethodName,
    MethodSummary
  >;
  const quiet = nonLooping(trials);
  const apart = Object.fromEntries(names.map((name) => [name, summarise(quiet, name)])) as Record<
    MethodName,
    MethodSummary
  >;
  const nearTies: Divergence[] = names.includes("ar") ? divergences(trials, ["ar"]) : [];
  return {
    pair: pair.name,
    prompts: trials.length,
    tokens: trials.reduce((sum, trial) => sum + trial.runs.arExact!.ids.length, 0),
    identical: differing.length === 0,
    ...(differing.length > 0 && { differing }),
    ...all,
    ar: {
      ...all.ar,
      graph: pair.plain.precision,
      differsFromExact: nearTies.length,
      firstDivergence: nearTies[0] ?? null,
    },
    nonLooping: {
      prompts: quiet.length,
      ...apart,
      speedup: quiet.length > 0 ? round(apart.diffuspec.tokensPerSecond / apart.arExact.tokensPerSecond) : null,
    },
    speedup: round(all.diffuspec.tokensPerSecond / all.arExact.tokensPerSecond),
  };
}

/** A small table for people. */
export function reportTable(result: Report, sampling: Partial<SamplerOptions>): string {
  const rows = (Object.keys(LABELS) as MethodName[])
    .filter((name) => result[name])
    .map((name) => {
      const of = (part: Record<MethodName, MethodSummary>) => [
        part[name].tokensPerSecond.toFixed(0),
        `${(part[name].tokensPerSecond / part.arExact.tokensPerSecond).toFixed(2)}x`,
        part[name].meanAcceptedTokens.toFixed(2),
      ];
      return [LABELS[name], ...of(result), ...of(result.nonLooping)];
    });
  const header = ["", "tokens/s", "vs exact", "MAT", "tokens/s", "vs exact", "MAT"];
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]!.length)));
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  const { prompts, tokens, identical, nonLooping: quiet, diffuspec } = result;
  const settings =
    Object.entries(sampling)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ") || "greedy";
  const share = (ms: number) => `${((100 * ms) / diffuspec.decodeMs).toFixed(0)} %`;
  return [
    "",
    `${result.pair}: ${prompts} prompts, ${tokens} tokens, ${settings}; right: the ${quiet.prompts} completions that do not loop`,
    line(header),
    ...rows.map(line),
    `A DiffuSpec round: draft ${share(diffuspec.draftMs)}, search ${share(diffuspec.searchMs)}, verify ${share(diffuspec.verifyMs)}.`,
    identical
      ? "Every completion equals plain AR's (exact), token for token."
      : `NOT IDENTICAL: ${JSON.stringify(result.differing)}`,
    `Plain AR in one row (${result.ar.graph}) takes other kernels: its ids differ on ${result.ar.differsFromExact} of ${prompts} prompts.`,
    "",
  ].join("\n");
}
