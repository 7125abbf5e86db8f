import { abortError } from "@diffuspec/contracts";
import type { Engine, EngineSession } from "./engine-types.ts";
import type { LoadProgress } from "./options.ts";
import { type PlainOptions, packError, type Reply, type Request, type Task } from "./protocol.ts";
import { toResult, toTokensEvent } from "./results.ts";

/** The worker's end of the channel; a MessagePort is one. */
export interface Port {
  postMessage(reply: Reply): void;
  on(event: "message", listener: (request: Request) => void): unknown;
  close(): void;
}

type OpenEngine = (
  options: PlainOptions,
  watch: { readonly onProgress: (progress: LoadProgress) => void; readonly signal: AbortSignal },
) => Promise<Engine>;

/**
 * Answers requests with one engine. Messages are read between the passes of the runtime, which yields to the event loop
 * once per pass: an abort is therefore seen within one round, also during prefill.
 *
 * @param finished called when a load, generate or inspect has ended, before its last reply
 */
export function serve(port: Port, open: OpenEngine, finished: () => void = () => {}): void {
  let engine: Engine | undefined;
  let running: { call: number; abort: AbortController } | undefined;
  const closing = new AbortController();
  let loading: Promise<void> | undefined;
  const conversations = new Map<string, Promise<EngineSession>>();

  const sessionFor = async (loaded: Engine, { conversation, drafter }: Task): Promise<EngineSession> => {
    const key = `${conversation}:${drafter}`;
    const known = conversations.get(key);
    if (known) return known;
    const opening = loaded.openSession({ drafter });
    conversations.set(key, opening);
    opening.catch(() => conversations.delete(key));
    return opening;
  };

  async function load(options: PlainOptions): Promise<void> {
    const onProgress = (progress: LoadProgress) => port.postMessage({ type: "progress", progress });
    const reply = await open(options, { onProgress, signal: closing.signal }).then(
      (opened): Reply => {
        engine = opened;
        return { type: "ready", info: opened.info };
      },
      (error: unknown): Reply => ({ type: "failed", error: packError(error) }),
    );
    finished();
    port.postMessage(reply);
  }

  async function generate(loaded: Engine, call: number, task: Task, signal: AbortSignal): Promise<Reply> {
    const session = await sessionFor(loaded, task);
    const own = loaded.encode(task.prompt, { begin: task.past.length === 0 });
    const prompt = new Int32Array(task.past.length + own.length);
    prompt.set(task.past);
    prompt.set(own, task.past.length);
    if (signal.aborted) throw abortError(signal);
    const generation = session.generate(prompt, { ...task.options, signal });
    port.postMessage({ type: "start", call, prompt });
    for (;;) {
      const step = await generation.next();
      if (step.done) return { type: "done", call, result: toResult(step.value, prompt.length) };
      port.postMessage({ type: "tokens", call, event: toTokensEvent(step.value) });
    }
  }

  async function answer(call: number, work: (loaded: Engine, signal: AbortSignal) => Promise<Reply>): Promise<void> {
    const abort = new AbortController();
    running = { call, abort };
    const reply = await work(engine!, abort.signal).catch(
      (error: unknown): Reply => ({ type: "error", call, error: packError(error) }),
    );
    running = undefined;
    finished();
    port.postMessage(reply);
  }

  async function forget(belongs: (key: string) => boolean): Promise<void> {
    const keys = [...conversations.keys()].filter(belongs);
    const sessions = keys.map((key) => conversations.get(key)!);
    for (const key of keys) conversations.delete(key);
    await Promise.allSettled(sessions.map(async (session) => (await session).dispose()));
  }

  port.on("message", (request) => {
    switch (request.type) {
      case "load":
        loading = load(request.options);
        break;
      case "generate":
        void answer(request.call, (loaded, signal) => generate(loaded, request.call, request.task, signal));
        break;
      case "inspect":
        void answer(request.call, async (loaded, signal) => {
          const inspection = await loaded.inspect({ ...request.options, signal });
          return { type: "inspected", call: request.call, inspection };
        });
        break;
      case "abort":
        if (running?.call === request.call) running.abort.abort();
        break;
      case "forget":
        void forget((key) => key.startsWith(`${request.conversation}:`));
        break;
      case "dispose":
        running?.abort.abort();
        closing.abort();
        void Promise.resolve(loading)
          .then(() => forget(() => true))
          .then(() => engine?.dispose())
          .catch(() => {})
          .then(() => {
            port.postMessage({ type: "disposed" });
            port.close();
          });
        break;
    }
  });
}
