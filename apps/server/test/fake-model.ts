import { setImmediate as tick } from "node:timers/promises";
import { abortError, DiffuSpecError } from "@diffuspec/contracts";
import type { ServedEvent, ServedModel, ServedOptions } from "../src/index.ts";

export interface FakeCall {
  readonly prompt: string | Int32Array;
  readonly options: ServedOptions;
  rounds: number;
  outcome: "running" | "done" | "aborted" | "failed";
}

export interface FakeScript {
  /** Text of every round; default "one", " two", " three". */
  readonly pieces?: readonly string[];
  /** Rounds without an end until the signal fires. */
  readonly endless?: boolean;
  /** Awaited before every round. */
  readonly gate?: (round: number) => Promise<void>;
  /** Thrown instead of round n where it gives an error. */
  readonly fail?: (call: number, round: number) => unknown;
  /** A model that never looks at its signal. */
  readonly deaf?: boolean;
}

export const STATS = {
  tokens: 7,
  promptTokens: 5,
  reusedTokens: 2,
  rounds: 3,
  drafted: 6,
  accepted: 4,
  prefillMs: 10,
  wallMs: 45,
};

/** A model that speaks from a script and remembers how every call ended. */
export function createFakeModel(script: FakeScript = {}): ServedModel & { readonly calls: FakeCall[] } {
  const { pieces = ["one", " two", " three"], endless = false, gate = () => tick(), fail, deaf = false } = script;
  const calls: FakeCall[] = [];
  async function* generate(
    prompt: string | Int32Array,
    options: ServedOptions,
  ): AsyncGenerator<ServedEvent, void, void> {
    const call: FakeCall = { prompt, options, rounds: 0, outcome: "running" };
    const number = calls.push(call) - 1;
    try {
      for (let round = 0; endless || round < pieces.length; round++) {
        await gate(round);
        if (options.signal.aborted && !deaf) throw abortError(options.signal);
        const error = fail?.(number, round);
        if (error !== undefined) {
          call.outcome = "failed";
          throw error;
        }
        call.rounds++;
        yield { type: "tokens", text: endless ? "x" : pieces[round]! };
      }
      call.outcome = "done";
      yield { type: "done", finishReason: "length", stats: STATS };
    } finally {
      if (call.outcome === "running") call.outcome = "aborted";
    }
  }
  return { info: { model: "fake", contextLength: 256, vocabularySize: 100 }, generate, calls };
}

export const modelError = (code: DiffuSpecError["code"], details: Record<string, unknown> = {}) =>
  new DiffuSpecError({ code, what: "It failed", why: "the test says so", next: "Read /secret/path.", details });

/** A promise and its resolver. */
export function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Waits until the condition holds; the test's own time limit ends what never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
