import { abortError, DiffuSpecError } from "@diffuspec/contracts";
import type { ModelInfo } from "./events.ts";
import { createMailbox, type Mailbox } from "./mailbox.ts";
import type { LoadProgress } from "./options.ts";
import { type PlainOptions, type Reply, type Request, unpackError, workerError } from "./protocol.ts";

/** The main thread's end of a worker. */
export interface Link {
  post(request: Request): void;
  onReply(listener: (reply: Reply) => void): void;
  /** Called once, when the other side is gone; `error` says why where it was a crash. */
  onGone(listener: (error: Error | undefined) => void): void;
  /** Whether the link keeps the process alive. */
  hold(alive: boolean): void;
  terminate(): Promise<void>;
}

type CallReply = Extract<Reply, { type: "start" | "tokens" | "done" | "inspected" }>;

/** A call that is queued or runs. */
interface Job {
  readonly call: number;
  /** Made when the call's turn comes. */
  readonly request: (call: number) => Request;
  readonly mailbox: Mailbox<CallReply>;
}

interface LoadWatch {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Client {
  /** @throws ERR_ABORTED at once; the engine lets go in `dispose` */
  load(options: PlainOptions, watch?: LoadWatch): Promise<ModelInfo>;
  /**
   * Queues a call and gives its replies. Leaving the iteration early aborts it.
   *
   * @throws ERR_ABORTED, ERR_CLOSED, ERR_OPTION (the queue is full), ERR_WORKER, and what the engine throws
   */
  call(request: (call: number) => Request, signal?: AbortSignal): AsyncGenerator<CallReply, void, void>;
  /** A message without an answer. */
  send(request: Request): void;
  dispose(): Promise<void>;
}

/** How long the worker may take to finish its pass and let go before it is ended. */
const DISPOSE_MS = 10_000;

/** One call at a time goes to the worker; the others wait here, first come, first served. */
export function createClient(link: Link, maxQueue: number): Client {
  const waiting: Job[] = [];
  let active: Job | undefined;
  let calls = 0;
  /** Set once no call can be made any more. */
  let gone: DiffuSpecError | undefined;
  let loading: { resolve(info: ModelInfo): void; reject(error: Error): void } | undefined;
  let progress: ((progress: LoadProgress) => void) | undefined;
  let disposing: Promise<void> | undefined;
  let disposed = () => {};

  function hold(): void {
    const ending = disposing !== undefined && gone?.code !== "ERR_WORKER";
    link.hold(active !== undefined || loading !== undefined || ending);
  }

  function next(): void {
    active = waiting.shift();
    hold();
    if (!active) return;
    try {
      link.post(active.request(active.call));
    } catch (cause) {
      active.mailbox.fail(notPlain(cause));
      next();
    }
  }

  function refuseAll(error: DiffuSpecError): void {
    gone ??= error;
    for (const job of [active, ...waiting.splice(0)]) job?.mailbox.fail(error);
    loading?.reject(error);
    loading = undefined;
  }

  link.onReply((reply) => {
    if (reply.type === "progress") return progress?.(reply.progress);
    if (reply.type === "ready" || reply.type === "failed") {
      if (reply.type === "ready") loading?.resolve(reply.info);
      else loading?.reject(unpackError(reply.error));
      loading = undefined;
      return hold();
    }
    if (reply.type === "disposed") return disposed();
    if (active?.call !== reply.call) return;
    if (reply.type === "error") active.mailbox.fail(unpackError(reply.error));
    else active.mailbox.put(reply);
    if (reply.type === "start" || reply.type === "tokens") return;
    active.mailbox.end();
    next();
  });

  link.onGone((cause) => {
    refuseAll(workerError("the engine ended", cause?.message ?? "the worker thread stopped", cause));
    active = undefined;
    disposed();
  });

  return {
    async load(options, { onProgress, signal } = {}) {
      if (gone) throw gone;
      if (signal?.aborted) throw abortError(signal);
      progress = onProgress;
      link.hold(true);
      const onAbort = () => loading?.reject(abortError(signal));
      signal?.addEventListener("abort", onAbort);
      try {
        return await new Promise<ModelInfo>((resolve, reject) => {
          loading = { resolve, reject };
          link.post({ type: "load", options });
        });
      } finally {
        progress = undefined;
        signal?.removeEventListener("abort", onAbort);
      }
    },
    async *call(request, signal) {
      if (gone) throw gone;
      if (signal?.aborted) throw abortError(signal);
      if (active && waiting.length >= maxQueue) throw queueFull(maxQueue);
      const job: Job = { call: ++calls, request, mailbox: createMailbox() };
      waiting.push(job);
      const onAbort = () => job.mailbox.fail(abortError(signal));
      signal?.addEventListener("abort", onAbort);
      const stop = () => {
        const at = waiting.indexOf(job);
        if (at !== -1) waiting.splice(at, 1);
        else if (active === job && !gone) link.post({ type: "abort", call: job.call });
      };
      signal?.addEventListener("abort", stop);
      if (!active) next();
      try {
        for (let reply = await job.mailbox.take(); reply; reply = await job.mailbox.take()) yield reply;
      } finally {
        signal?.removeEventListener("abort", onAbort);
        signal?.removeEventListener("abort", stop);
        stop();
      }
    },
    send(request) {
      if (!gone) link.post(request);
    },
    dispose() {
      disposing ??= (async () => {
        const crashed = gone !== undefined;
        refuseAll(closedError());
        if (crashed) return;
        link.hold(true);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, DISPOSE_MS);
          disposed = () => {
            clearTimeout(timer);
            resolve();
          };
          link.post({ type: "dispose" });
        });
        await link.terminate();
      })();
      return disposing;
    },
  };
}

function closedError(): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CLOSED",
    what: "The model is closed",
    why: "dispose() was called",
    next: "Load it again.",
  });
}

function notPlain(cause: unknown): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: "The call cannot be sent to the worker",
    why: cause instanceof Error ? cause.message : String(cause),
    next: "Pass plain data: no functions, no class instances.",
    cause,
  });
}

function queueFull(maxQueue: number): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: "The call was refused",
    why: `the queue is full, ${maxQueue} calls wait already (option maxQueue)`,
    next: "Try again when one has ended, or load with a larger maxQueue.",
    details: { option: "maxQueue", maxQueue, queueFull: true },
  });
}
