import { DiffuSpecError } from "@diffuspec/contracts";
import type { CompletionResult, GenerateEvent } from "./events.ts";
import { type CallOptions, checkTextPrompt, type TextPrompt } from "./generate-options.ts";
import type { DrafterName } from "./options.ts";
import { lastResult, type RunTask } from "./run-task.ts";

/** A conversation: each turn continues all earlier ones, and only what is new is computed. */
export interface ChatSession {
  /** What was said so far: the prompts, and the ids you have received. A turn left early keeps what came until then. */
  readonly ids: Int32Array;
  /**
   * Appends the prompt, then the completion. One turn at a time.
   *
   * @throws as Model.generate; ERR_CONTRACT while another turn runs, ERR_CLOSED after dispose
   */
  generate(prompt: TextPrompt, options?: CallOptions): AsyncGenerator<GenerateEvent, void, void>;
  complete(prompt: TextPrompt, options?: CallOptions): Promise<CompletionResult>;
  /** Forgets everything said. @throws ERR_CONTRACT while a turn runs */
  reset(): void;
  /** Frees the caches. */
  dispose(): void;
}

export function createChat(
  run: RunTask,
  own: { conversation: number; drafter: DrafterName; forget: () => void },
): ChatSession {
  let ids: Int32Array = new Int32Array(0);
  let busy = false;
  let closed = false;

  async function* generate(prompt: TextPrompt, options: CallOptions = {}): AsyncGenerator<GenerateEvent, void, void> {
    checkTextPrompt(prompt);
    if (closed) throw refusal("ERR_CLOSED", "dispose() was called", "Open another with model.session().");
    if (busy) throw turnRuns();
    busy = true;
    try {
      const task = { conversation: own.conversation, past: ids, prompt };
      const events = run(task, { drafter: own.drafter, ...options }, (all) => {
        ids = all;
      });
      for await (const event of events) {
        if (event.type === "tokens") ids = joined(ids, event.tokens);
        yield event;
      }
    } finally {
      busy = false;
    }
  }

  return {
    get ids() {
      return ids.slice();
    },
    generate,
    complete: (prompt, options) => lastResult(generate(prompt, options)),
    reset() {
      if (busy) throw turnRuns();
      ids = new Int32Array(0);
    },
    dispose() {
      if (!closed) own.forget();
      closed = true;
    },
  };
}

function joined(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

const turnRuns = () =>
  refusal("ERR_CONTRACT", "a turn is running and the next one would have to know its end", "Wait for it, or abort it.");

function refusal(code: "ERR_CLOSED" | "ERR_CONTRACT", why: string, next: string): DiffuSpecError {
  return new DiffuSpecError({ code, what: "The session cannot be used", why, next });
}
