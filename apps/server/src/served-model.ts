/** Options of one generation as the server passes them on; what is left out takes the model's own default. */
export interface ServedOptions {
  readonly maxTokens: number;
  readonly minTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly dryMultiplier?: number;
  readonly dryBase?: number;
  readonly dryAllowedLength?: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly logitBias: ReadonlyMap<number, number>;
  readonly signal: AbortSignal;
}

/** Sums over one generation; times in milliseconds, lengths in tokens. */
export interface ServedStats {
  readonly tokens: number;
  readonly promptTokens: number;
  /** Prompt tokens whose cache rows were there already. */
  readonly reusedTokens: number;
  readonly rounds: number;
  /** Draft tokens verified. */
  readonly drafted: number;
  /** Accepted draft tokens; never counts the target's own. */
  readonly accepted: number;
  readonly prefillMs: number;
  /** From the start of prefill to the last token. */
  readonly wallMs: number;
}

export type ServedEvent =
  | { readonly type: "tokens"; readonly text: string }
  | {
      readonly type: "done";
      /** "stop": an end-of-text id or a stop string; else a limit was reached. */
      readonly finishReason: "stop" | "length" | "context";
      readonly stats: ServedStats;
    };

/**
 * What the server needs of a model; the model of `diffuspec`'s load() is one. Calls queue inside the model, and a call
 * ends soon after its signal fires or its iteration is left.
 */
export interface ServedModel {
  readonly info: { readonly model: string; readonly contextLength: number; readonly vocabularySize: number };
  generate(prompt: string | Int32Array, options: ServedOptions): AsyncIterable<ServedEvent>;
}
