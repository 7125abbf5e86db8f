import { MessageChannel, type MessagePort } from "node:worker_threads";
import { abortError, type Drafter, type PrefillOptions } from "@diffuspec/contracts";
import { createPromptLookup } from "@diffuspec/drafters/prompt-lookup";
import { openSession } from "@diffuspec/spec-loop";
import { createByteTokenizer, createFakeVerifier } from "@diffuspec/testkit";
import type { Link } from "../src/client.ts";
import type { Engine } from "../src/engine-types.ts";
import type { ModelInfo } from "../src/events.ts";
import { toLoopOptions } from "../src/generate-options.ts";
import { type Port, serve } from "../src/host.ts";
import type { EngineOptions } from "../src/options.ts";
import type { Reply, Request } from "../src/protocol.ts";

export interface FakeEngine extends Engine {
  readonly generations: number;
  readonly openSessions: number;
  /** Passes so far, those of prefill included. */
  readonly passes: number;
}

/** An engine over the fake model whose passes each yield to the event loop, as the runtime's do. */
export function createFakeEngine(onPass: (pass: number) => void = () => {}): FakeEngine {
  const tokenizer = createByteTokenizer();
  const verifier = createFakeVerifier({ vocabularySize: 257, contextLength: 4096, chunk: 16, peaked: 12 });
  const open = verifier.open;
  let generations = 0;
  let passes = 0;
  const slow = {
    ...verifier,
    open: async () => {
      const session = await open();
      const turn = () => {
        onPass(++passes);
        return new Promise((resolve) => setImmediate(resolve));
      };
      return {
        ...session,
        get length() {
          return session.length;
        },
        prefill: async (ids: Int32Array, options: PrefillOptions = {}) => {
          for (let done = 0; done < ids.length; done += 16) {
            await turn();
            if (options.signal?.aborted) throw abortError(options.signal);
          }
          return session.prefill(ids, options);
        },
        verify: async (...args: Parameters<typeof session.verify>) => {
          await turn();
          return session.verify(...args);
        },
      };
    },
  };
  return {
    get passes() {
      return passes;
    },
    get generations() {
      return generations;
    },
    get openSessions() {
      return verifier.openSessions;
    },
    info: { model: "fake", drafter: "none", drafters: ["none", "prompt-lookup"] } as unknown as ModelInfo,
    tokenizer,
    verifier,
    encode: (prompt, { begin = true } = {}) =>
      prompt instanceof Int32Array
        ? prompt
        : typeof prompt === "object"
          ? tokenizer.encode(prompt.messages.map(({ role, content }) => `${role}: ${content}\n`).join(""))
          : Int32Array.of(...(begin ? [256] : []), ...tokenizer.encode(prompt)),
    async openSession({ drafter = "none" } = {}) {
      const seat: Drafter | undefined = drafter === "none" ? undefined : createPromptLookup();
      const session = await openSession({ verifier: slow, ...(seat && { drafter: seat }) });
      return {
        drafter,
        generate(prompt, options = {}) {
          generations++;
          if (!(prompt instanceof Int32Array)) throw new Error("the host encodes");
          return session.generate(prompt, { ...toLoopOptions(options, {}), text: tokenizer.stream() });
        },
        dispose: () => session.dispose(),
      };
    },
    generate: () => {
      throw new Error("not used");
    },
    inspect: () => Promise.reject(new TypeError("no inspection here")),
    dispose: async () => {},
  };
}

/**
 * A client's link to an engine in this thread, over a real channel: messages are cloned and come later, as from a worker.
 *
 * @param engine one that is there, or how it is made of the options that arrive
 */
export function connect(
  engine: Engine | ((options: Partial<EngineOptions>) => Promise<Engine>),
): Link & { crash(error: Error): void; readonly held: boolean } {
  const { port1, port2 } = new MessageChannel();
  let gone: (error: Error | undefined) => void = () => {};
  let over = false;
  let held = false;
  const end = (error?: Error) => {
    if (over) return;
    over = true;
    port1.close();
    port2.close();
    gone(error);
  };
  serve(port2 as unknown as Port & MessagePort, async (options, watch) =>
    typeof engine === "function" ? engine({ ...options, ...watch }) : engine,
  );
  return {
    post: (request: Request) => port1.postMessage(request),
    onReply: (listener) => void port1.on("message", (reply: Reply) => listener(reply)),
    onGone(listener) {
      gone = listener;
    },
    hold(alive) {
      held = alive;
    },
    get held() {
      return held;
    },
    terminate: async () => end(),
    crash: end,
  };
}
