import type { GenerateStats } from "diffuspec";
import type { Terminal } from "./terminal.ts";

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Statistics for people, two lines. */
export function statsLines(stats: GenerateStats): string {
  const { tokens, tokensPerSecond, meanAcceptedTokens, accepted, drafted, rounds } = stats;
  const { promptTokens, reusedTokens, prefillMs, draftMs, searchMs, verifyMs, wallMs } = stats;
  return [
    `${tokens} tokens, ${rate(tokensPerSecond)}, ${meanAcceptedTokens.toFixed(2)} tokens a round (${rounds} rounds, ${accepted} of ${drafted} drafted tokens accepted)`,
    `prompt ${promptTokens} tokens (${reusedTokens} reused) ${ms(prefillMs)}, draft ${ms(draftMs)}, search ${ms(searchMs)}, verify ${ms(verifyMs)}, in all ${ms(wallMs)}`,
    "",
  ].join("\n");
}

export const rate = (tokensPerSecond: number): string => `${tokensPerSecond.toFixed(1)} tokens/s`;

export const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value >= 2 ** 30) return `${(value / 2 ** 30).toFixed(1)} GiB`;
  return value < 2 ** 20 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 2 ** 20).toFixed(1)} MiB`;
}
