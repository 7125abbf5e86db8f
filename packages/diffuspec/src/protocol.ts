import { DiffuSpecError, type ErrorCode, isDiffuSpecError } from "@diffuspec/contracts";
import type { CompletionResult, ModelInfo, TokensEvent } from "./events.ts";
import type { GenerateOptions, Prompt } from "./generate-options.ts";
import type { Inspection, InspectOptions } from "./inspection.ts";
import type { DrafterName, EngineOptions, LoadProgress } from "./options.ts";

/** One generation, as it crosses to the worker. */
export interface Task {
  /** Conversations are numbered by the main thread; 0 is the one of `model.generate`. */
  readonly conversation: number;
  readonly drafter: DrafterName;
  /** All ids of the earlier turns; empty for a fresh text, which then begins with the BOS id. */
  readonly past: Int32Array;
  readonly prompt: Prompt;
  readonly options: Omit<GenerateOptions, "signal">;
}

/** The engine's options, as they cross to the worker. */
export type PlainOptions = Omit<EngineOptions, "onProgress" | "signal">;

/** Main thread to worker. At most one call is under way at a time; the queue is on the main thread. */
export type Request =
  | { readonly type: "load"; readonly options: PlainOptions }
  | { readonly type: "generate"; readonly call: number; readonly task: Task }
  | { readonly type: "inspect"; readonly call: number; readonly options: InspectOptions }
  | { readonly type: "abort"; readonly call: number }
  | { readonly type: "forget"; readonly conversation: number }
  | { readonly type: "dispose" };

/** Worker to main thread. A call ends with done, inspected or error. */
export type Reply =
  | { readonly type: "progress"; readonly progress: LoadProgress }
  | { readonly type: "ready"; readonly info: ModelInfo }
  | { readonly type: "failed"; readonly error: PackedError }
  | { readonly type: "start"; readonly call: number; readonly prompt: Int32Array }
  | { readonly type: "tokens"; readonly call: number; readonly event: TokensEvent }
  | { readonly type: "done"; readonly call: number; readonly result: CompletionResult }
  | { readonly type: "inspected"; readonly call: number; readonly inspection: Inspection }
  | { readonly type: "error"; readonly call: number; readonly error: PackedError }
  | { readonly type: "disposed" };

/** An error as plain data. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Undefined for an error that is not ours. */
  readonly code: ErrorCode | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause: PackedError | undefined;
}

/** The causes are followed this far. */
const DEPTH = 4;

export function packError(error: unknown, depth = 0): PackedError {
  const { name, message, stack, cause } = error instanceof Error ? error : new Error(String(error));
  const ours = isDiffuSpecError(error);
  return {
    name,
    message,
    stack,
    code: ours ? error.code : undefined,
    details: ours ? cloneable(error.details) : {},
    cause: cause === undefined || depth === DEPTH ? undefined : packError(cause, depth + 1),
  };
}

/** The same error on this side: code, details, message and stack as they were. What is not ours becomes ERR_WORKER. */
export function unpackError(packed: PackedError): DiffuSpecError {
  const cause = packed.cause && unpackCause(packed.cause);
  if (packed.code === undefined) return workerError("the engine failed", packed.message, unpackCause(packed));
  const error = new DiffuSpecError({
    code: packed.code,
    what: "",
    why: "",
    next: "",
    details: packed.details,
    ...(cause && { cause }),
  });
  return Object.assign(error, { message: packed.message, stack: packed.stack });
}

export function workerError(what: string, why: string, cause?: unknown): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_WORKER",
    what: `In the worker ${what}`,
    why,
    next: "Load the model again; if it comes back, report it with the cause.",
    cause,
  });
}

function unpackCause(packed: PackedError): Error {
  if (packed.code !== undefined) return unpackError(packed);
  const cause = packed.cause && unpackCause(packed.cause);
  const error = new Error(packed.message, cause && { cause });
  return Object.assign(error, { name: packed.name, stack: packed.stack });
}

/** Details hold plain facts; one that cannot be cloned is sent as text. */
function cloneable(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const safe = (value: unknown) => {
    try {
      return structuredClone(value);
    } catch {
      return String(value);
    }
  };
  return Object.fromEntries(Object.entries(details).map(([key, value]) => [key, safe(value)]));
}
