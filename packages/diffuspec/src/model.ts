import { abortError } from "@diffuspec/contracts";
import { type ChatSession, createChat } from "./chat.ts";
import { refuseUnknown, requireOneOf } from "./checks.ts";
import { createClient, type Link } from "./client.ts";
import type { CompletionResult, GenerateEvent, ModelInfo } from "./events.ts";
import { type CallOptions, checkGenerateOptions, checkPrompt, copyPrompt, type Prompt } from "./generate-options.ts";
import { INSPECT_DEFAULTS, type Inspection, type InspectOptions } from "./inspection.ts";
import { DRAFTER_NAMES, type DrafterName, type LoadOptions, resolveLoadOptions } from "./options.ts";
import { withPairDefaults } from "./pair.ts";
import type { Request } from "./protocol.ts";
import { lastResult, type RunTask } from "./run-task.ts";
import { startWorker } from "./worker-link.ts";

/** A loaded pair. Its engine runs in one worker thread; the event loop of this thread stays free. */
export interface Model {
  readonly info: ModelInfo;
  /**
   * Continues a prompt. Starts when iterated; concurrent calls wait for each other in order. Leaving the iteration early
   * aborts the generation. Equal options give equal ids, whatever drafts. A prompt { messages } is a whole conversation; what
   * it has in common with the one before is not computed again.
   *
   * @throws while iterated: ERR_OPTION (also: the queue is full), ERR_PROMPT, ERR_CONTEXT_EXCEEDED, ERR_ABORTED, ERR_CLOSED, ERR_WORKER,
   *   ERR_UNSUPPORTED (messages, and the model has no chat template)
   */
  generate(prompt: Prompt, options?: CallOptions): AsyncGenerator<GenerateEvent, void, void>;
  /** The same, without the events. */
  complete(prompt: Prompt, options?: CallOptions): Promise<CompletionResult>;
  /** A conversation with a cache of its own. */
  session(options?: { readonly drafter?: DrafterName }): ChatSession;
  /** Row-exactness and time by row count; takes a while, and its turn in the queue. */
  inspect(options?: InspectOptions & { readonly signal?: AbortSignal }): Promise<Inspection>;
  /** Ends what runs and what waits with ERR_CLOSED and frees the engine. A second call does nothing. */
  dispose(): Promise<void>;
}

/**
 * Loads a pair into a worker thread of its own.
 *
 * @throws ERR_OPTION, ERR_MODEL_UNKNOWN, ERR_MODEL_FILE_MISSING, ERR_MODEL_FILE_ALTERED, ERR_PARSE, ERR_GRAPH,
 *   ERR_NOT_ROW_EXACT, ERR_VOCABULARY_MISMATCH, ERR_WORKER, ERR_ABORTED (once the worker is gone)
 * @example
 * const model = await load();
 * for await (const event of model.generate("function add(")) if (event.type === "tokens") process.stdout.write(event.text);
 * await model.dispose();
 */
export async function load(options: Partial<LoadOptions> = {}): Promise<Model> {
  return loadOver(startWorker, options);
}

/** As {@link load}, over any link to an engine. */
export async function loadOver(start: () => Link, options: Partial<LoadOptions> = {}): Promise<Model> {
  resolveLoadOptions(options); // what is misspelt is said before a registry is read
  const { onProgress, signal, maxQueue, ...engineOptions } = resolveLoadOptions(await withPairDefaults(options));
  if (signal?.aborted) throw abortError(signal);
  const client = createClient(start(), maxQueue);
  const info = await client.load(engineOptions, { onProgress, signal }).catch(async (error: unknown) => {
    await client.dispose();
    throw error;
  });
  let conversations = 0;

  const run: RunTask = async function* (task, options, onStart) {
    checkPrompt(task.prompt);
    checkGenerateOptions(options);
    const { signal, drafter = info.drafter, ...plain } = options;
    const prompt = copyPrompt(task.prompt);
    const request = (call: number): Request => ({
      type: "generate",
      call,
      task: { ...task, prompt, drafter, options: plain },
    });
    for await (const reply of client.call(request, signal)) {
      if (reply.type === "start") onStart?.(reply.prompt);
      else if (reply.type === "tokens") yield reply.event;
      else if (reply.type === "done") yield { type: "done", ...reply.result };
    }
  };

  const generate = (prompt: Prompt, options: CallOptions = {}) =>
    run({ conversation: 0, past: new Int32Array(0), prompt }, options);

  return {
    info,
    generate,
    complete: (prompt, options) => lastResult(generate(prompt, options)),
    session(sessionOptions = {}) {
      refuseUnknown("session", sessionOptions, ["drafter"]);
      const { drafter = info.drafter } = sessionOptions;
      requireOneOf("drafter", drafter, DRAFTER_NAMES);
      const conversation = ++conversations;
      return createChat(run, { conversation, drafter, forget: () => client.send({ type: "forget", conversation }) });
    },
    async inspect({ signal, ...options } = {}) {
      refuseUnknown("inspect", options, Object.keys(INSPECT_DEFAULTS));
      for await (const reply of client.call((call) => ({ type: "inspect", call, options }), signal))
        if (reply.type === "inspected") return reply.inspection;
      throw new Error("unreachable: an inspection ends with its report or an error");
    },
    dispose: () => client.dispose(),
  };
}
