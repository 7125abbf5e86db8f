import type { CompletionResult, GenerateEvent } from "./events.ts";
import type { CallOptions } from "./generate-options.ts";
import type { Task } from "./protocol.ts";

/** Runs one task of the worker and gives its events; `onStart` gets all ids of the prompt once the engine took them. */
export type RunTask = (
  task: Omit<Task, "drafter" | "options">,
  options: CallOptions,
  onStart?: (prompt: Int32Array) => void,
) => AsyncGenerator<GenerateEvent, void, void>;

/** Runs to the end and gives the summary. */
export async function lastResult(events: AsyncIterable<GenerateEvent>): Promise<CompletionResult> {
  for await (const event of events)
    if (event.type === "done") {
      const { type: _, ...result } = event;
      return result;
    }
  throw new Error("unreachable: a generation ends with its summary or an error");
}
