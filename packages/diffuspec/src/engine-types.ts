import type { Tokenizer, Verifier } from "@diffuspec/contracts";
import type { Generation } from "@diffuspec/spec-loop";
import type { ModelInfo } from "./events.ts";
import type { GenerateOptions, Prompt } from "./generate-options.ts";
import type { Inspection, InspectOptions } from "./inspection.ts";
import type { LengthControllerOption } from "./length-option.ts";
import type { DrafterName } from "./options.ts";

/** A drafter and the target's cache. One generation at a time. */
export interface EngineSession {
  readonly drafter: DrafterName;
  /**
   * Continues `prompt`: a text, which gets the BOS id in front, all ids as they are, or the messages of a conversation. Cache rows of a prefix shared with
   * the last generation are found again. Errors as spec-loop's Session.generate.
   */
  generate(prompt: Prompt, options?: GenerateOptions): Generation;
  dispose(): Promise<void>;
}

export interface SessionChoice {
  /** Default the engine's. */
  readonly drafter?: DrafterName;
  /** Default the engine's. */
  readonly lengthController?: LengthControllerOption;
}

/** A loaded pair in this thread. Blocks the event loop for one pass at a time; `load` runs it in a worker. */
export interface Engine {
  readonly info: ModelInfo;
  readonly tokenizer: Tokenizer;
  readonly verifier: Verifier;
  /**
   * Text to ids, the BOS id in front where `begin` (default true). Messages become what the chat template makes of them;
   * ids are returned as they are.
   *
   * @throws ERR_PROMPT, ERR_UNSUPPORTED where there are messages and the model has no chat template
   */
  encode(prompt: Prompt, options?: { readonly begin?: boolean }): Int32Array;
  /** Sessions share the target and what a drafter owns; each has caches of its own. @throws ERR_OPTION, ERR_CLOSED */
  openSession(choice?: SessionChoice): Promise<EngineSession>;
  /** In one session that is kept: a prompt that begins like the last one is not computed again. */
  generate(prompt: Prompt, options?: GenerateOptions): Generation;
  /** Row-exactness and time by row count. @throws ERR_ABORTED, ERR_OPTION */
  inspect(options?: InspectOptions & { readonly signal?: AbortSignal }): Promise<Inspection>;
  dispose(): Promise<void>;
}
