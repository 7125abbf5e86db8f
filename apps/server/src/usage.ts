import type { ServedEvent, ServedStats } from "./served-model.ts";

/**
 * Tokens, in OpenAI's names. The prediction tokens are our drafts: accepted ones are part of completion_tokens; rejected
 * ones were verified in vain, cost no extra output and are in no sum.
 */
export function toUsage(stats: ServedStats) {
  const { promptTokens, tokens, reusedTokens, accepted, drafted } = stats;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: tokens,
    total_tokens: promptTokens + tokens,
    prompt_tokens_details: { cached_tokens: reusedTokens },
    completion_tokens_details: {
      accepted_prediction_tokens: accepted,
      rejected_prediction_tokens: Math.max(0, drafted - accepted),
    },
  };
}

/**
 * Times in milliseconds, in llama.cpp's names, and the number of verification rounds. Time in the queue is in none; the first token's is
 * the prompt's, so that token is not in the rate.
 */
export function toTimings(stats: ServedStats) {
  const { promptTokens, reusedTokens, prefillMs, wallMs, tokens, drafted, accepted, rounds } = stats;
  const computed = promptTokens - reusedTokens;
  const decodeMs = Math.max(0, wallMs - prefillMs);
  return {
    cache_n: reusedTokens,
    prompt_n: computed,
    prompt_ms: prefillMs,
    prompt_per_second: perSecond(computed, prefillMs),
    predicted_n: tokens,
    predicted_ms: decodeMs,
    predicted_per_second: perSecond(Math.max(0, tokens - 1), decodeMs),
    draft_n: drafted,
    draft_n_accepted: accepted,
    rounds,
  };
}

type Finish = Extract<ServedEvent, { type: "done" }>["finishReason"];

/** OpenAI knows "stop" and "length"; a full context is a length. */
export const toFinishReason = (reason: Finish): "stop" | "length" => (reason === "stop" ? "stop" : "length");

const perSecond = (count: number, ms: number): number => (ms > 0 ? (count * 1000) / ms : 0);
