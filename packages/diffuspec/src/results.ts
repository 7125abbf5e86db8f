import type { Completion, Round, Totals } from "@diffuspec/spec-loop";
import type { CompletionResult, GenerateStats, TokensEvent } from "./events.ts";

/** A round as the user sees it. */
export function toTokensEvent(round: Round): TokensEvent {
  const { text, texts, tokens, accepted, stats } = round;
  return { type: "tokens", text, texts, tokens, accepted: Array.from(tokens, (_, i) => i < accepted), stats };
}

/** A completion as the user sees it. */
export function toResult(completion: Completion, promptTokens: number): CompletionResult {
  const { text, tokens, finishReason, totals } = completion;
  return { text, ids: tokens, finishReason, stats: toStats(totals, promptTokens) };
}

/** Totals of the loop under the facade's names; tokensPerSecond is that of decoding: prefill and first token left out. */
export function toStats(totals: Totals, promptTokens: number): GenerateStats {
  const { tokens, meanAcceptedTokens, accepted, drafted, rounds, reused } = totals;
  const { prefillMs, draftMs, searchMs, verifyMs, wallMs } = totals;
  const decodeMs = wallMs - prefillMs;
  return {
    tokens,
    tokensPerSecond: tokens > 1 && decodeMs > 0 ? ((tokens - 1) * 1000) / decodeMs : 0,
    meanAcceptedTokens,
    accepted,
    drafted,
    rounds,
    promptTokens,
    reusedTokens: reused,
    prefillMs,
    draftMs,
    searchMs,
    verifyMs,
    wallMs,
  };
}
