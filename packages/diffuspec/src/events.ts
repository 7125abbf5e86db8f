import type { FinishReason, RoundStats } from "@diffuspec/spec-loop";
import type { GenerateOptions } from "./generate-options.ts";
import type { DrafterName } from "./options.ts";

/** The ids of one verification round, as soon as they are certain. */
export interface TokensEvent {
  readonly type: "tokens";
  /** Text these ids released; bytes of an unfinished character and possible stop strings are held back. */
  readonly text: string;
  /** The same text by token. */
  readonly texts: readonly string[];
  readonly tokens: Int32Array;
  /** By token: true where it was drafted, false where it is the target's own. */
  readonly accepted: readonly boolean[];
  readonly stats: RoundStats;
}

/** The last event of a generation that was not aborted. */
export interface DoneEvent extends CompletionResult {
  readonly type: "done";
}

export type GenerateEvent = TokensEvent | DoneEvent;

/** A whole completion. */
export interface CompletionResult {
  /** Without the prompt. */
  readonly text: string;
  /** Ids after the prompt, an end-of-text id included. */
  readonly ids: Int32Array;
  readonly finishReason: FinishReason;
  readonly stats: GenerateStats;
}

/** Sums over one generation; times in milliseconds. */
export interface GenerateStats {
  /** Committed tokens. */
  readonly tokens: number;
  /** Tokens a second of decoding: prefill, the first token, which comes out of it, and time in the queue are not in it. */
  readonly tokensPerSecond: number;
  /** Committed tokens per verification round; plain decoding has 1. */
  readonly meanAcceptedTokens: number;
  /** Accepted draft tokens; never counts the target's own. */
  readonly accepted: number;
  /** Draft tokens verified. */
  readonly drafted: number;
  readonly rounds: number;
  /** Ids of the prompt, earlier turns and the beginning-of-text id included. */
  readonly promptTokens: number;
  /** Those among them whose cache rows were there already. */
  readonly reusedTokens: number;
  readonly prefillMs: number;
  readonly draftMs: number;
  readonly searchMs: number;
  readonly verifyMs: number;
  /** From the start of prefill to the last token; time in the queue is not in it. */
  readonly wallMs: number;
}

/** What is loaded. */
export interface ModelInfo {
  readonly model: string;
  readonly directory: string;
  readonly licence: string;
  /** Of the target's weights: a PrecisionName, of a published model its dtype, or its graph where that has another name. */
  readonly precision: string;
  readonly threads: number;
  readonly exactness: "exact" | "tolerant";
  /** True where the probe at load found every row independent of the others; undefined where it did not run. */
  readonly rowExact: boolean | undefined;
  /** The drafter of calls that name none. */
  readonly drafter: DrafterName;
  /** Drafters this model can run. */
  readonly drafters: readonly DrafterName[];
  readonly vocabularySize: number;
  /** Most ids of prompt and completion together. */
  readonly contextLength: number;
  readonly target: PartInfo;
  readonly draftModel: PartInfo | undefined;
  /** The n-gram's file; undefined where it knows only the text at hand. */
  readonly ngram: string | undefined;
  /** Whether a prompt may be { messages }: the model has a chat template. */
  readonly chat: boolean;
  /** The model's own defaults for generation; what a call says wins. */
  readonly generation: GenerateOptions;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** A network's sizes; undefined where a published model does not say them. */
export interface PartInfo {
  readonly layers: number | undefined;
  readonly width: number | undefined;
  readonly parameters: number | undefined;
}
