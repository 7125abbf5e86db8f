import { randomUUID } from "node:crypto";
import { abortError } from "@diffuspec/contracts";
import { toApiError } from "./api-error.ts";
import type { CompletionRequest } from "./completion-request.ts";
import type { ServedEvent, ServedModel } from "./served-model.ts";
import { toFinishReason, toTimings, toUsage } from "./usage.ts";

type DoneEvent = Extract<ServedEvent, { type: "done" }>;

export interface CompletionJob {
  readonly model: ServedModel;
  readonly modelName: string;
  readonly request: CompletionRequest;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
  /** Told what went wrong after the headers were sent. */
  readonly onError: (error: unknown) => void;
}

/**
 * Runs one completion and answers with JSON or with a stream of events. Both wait for the first event of the model before
 * they answer, so that a full queue or a prompt that is too long has its own status in a stream too.
 *
 * @throws what the model throws before its first event (stream), or at all (JSON)
 */
export async function runCompletion(job: CompletionJob): Promise<Response> {
  const { request, model, modelName } = job;
  const gone = new AbortController();
  const abort = () => gone.abort();
  if (job.signal.aborted) abort();
  job.signal.addEventListener("abort", abort, { once: true });
  const head = {
    id: `cmpl-${randomUUID()}`,
    object: "text_completion",
    created: Math.floor(Date.now() / 1000),
    model: modelName,
  };
  const events = await begin(model.generate(request.prompt, { ...request.options, signal: gone.signal }));
  if (request.stream) return eventStream({ ...job, head, events, gone });
  let text = "";
  for await (const event of events) {
    if (gone.signal.aborted) break;
    if (event.type === "tokens") text += event.text;
    else {
      const usage = toUsage(event.stats);
      return Response.json({ ...head, choices: [choice(text, event)], usage, ...extras(job, event) });
    }
  }
  throw gone.signal.aborted ? abortError(gone.signal) : unfinished();
}

interface StreamJob extends CompletionJob {
  readonly head: object;
  readonly events: AsyncIterable<ServedEvent>;
  readonly gone: AbortController;
}

/**
 * Takes events as fast as the model gives them, whether or not the client reads: a slow reader must not hold the one
 * engine. What waits here is bounded by max_tokens.
 */
function eventStream({ head, events, gone, onError, ...job }: StreamJob): Response {
  const encoder = new TextEncoder();
  const { includeUsage } = job.request;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (data: string) => controller.enqueue(encoder.encode(`data: ${data}\n\n`));
      const send = (chunk: object) =>
        write(JSON.stringify({ ...head, ...(includeUsage && { usage: null }), ...chunk }));
      const pump = async () => {
        for await (const event of events) {
          if (gone.signal.aborted) return;
          if (event.type === "tokens") {
            if (event.text !== "") send({ choices: [choice(event.text)] });
            continue;
          }
          const last = extras(job, event);
          send({ choices: [choice("", event)], ...(!includeUsage && last) });
          if (includeUsage) send({ choices: [], usage: toUsage(event.stats), ...last });
          return write("[DONE]");
        }
        throw unfinished();
      };
      void pump()
        .catch((error: unknown) => {
          if (gone.signal.aborted) return;
          onError(error);
          write(JSON.stringify(toApiError(error).body));
        })
        .finally(() => {
          if (!gone.signal.aborted) controller.close();
        });
    },
    cancel: () => gone.abort(),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
  });
}

const unfinished = () => new Error("the model's events ended without a last one");

const choice = (text: string, done?: DoneEvent) => ({
  text,
  index: 0,
  logprobs: null,
  finish_reason: done ? toFinishReason(done.finishReason) : null,
});

/** Beyond OpenAI's fields: the seed that repeats this completion, and where the time went. */
const extras = ({ request }: Pick<CompletionJob, "request">, done: DoneEvent) => ({
  seed: request.options.seed,
  timings: toTimings(done.stats),
});

/** Waits for the first event and gives them all; leaving the iteration leaves the model's. */
async function begin(events: AsyncIterable<ServedEvent>): Promise<AsyncIterable<ServedEvent>> {
  const iterator = events[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let step = first; !step.done; step = await iterator.next()) yield step.value;
    } finally {
      await iterator.return?.();
    }
  })();
}
