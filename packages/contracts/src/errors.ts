/** Stable codes; messages may change, codes do not. */
export type ErrorCode =
  | "ERR_ABORTED"
  | "ERR_CLOSED"
  | "ERR_CONTEXT_EXCEEDED"
  | "ERR_CONTRACT"
  | "ERR_DRAFT_INVALID"
  | "ERR_DRAFT_TIMEOUT"
  | "ERR_GRAPH"
  | "ERR_MODEL_FILE_ALTERED"
  | "ERR_MODEL_FILE_MISSING"
  | "ERR_MODEL_UNKNOWN"
  | "ERR_NOT_ROW_EXACT"
  | "ERR_OPTION"
  | "ERR_PARSE"
  | "ERR_PROMPT"
  | "ERR_UNSUPPORTED"
  | "ERR_VOCABULARY_MISMATCH"
  | "ERR_WORKER";

const MARKER = Symbol.for("diffuspec.error");

/**
 * The one error class. Its message says what happened, why, and what to do next.
 * Two copies of this package may be loaded (ESM and CJS): compare `code`, or use {@link isDiffuSpecError}, not instanceof.
 *
 * @example
 * throw new DiffuSpecError({
 *   code: "ERR_OPTION",
 *   what: "temperature is -1",
 *   why: "a temperature is a number >= 0",
 *   next: "Pass 0 for greedy decoding or a positive number.",
 * });
 */
export class DiffuSpecError extends Error {
  readonly [MARKER] = true;
  readonly code: ErrorCode;
  /** Machine-readable facts: ids, sizes, paths, offsets. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(fields: {
    code: ErrorCode;
    what: string;
    why: string;
    next: string;
    details?: Record<string, unknown>;
    cause?: unknown;
  }) {
    super(`${fields.what}: ${fields.why}. ${fields.next}`, fields.cause === undefined ? {} : { cause: fields.cause });
    this.name = fields.code === "ERR_ABORTED" ? "AbortError" : "DiffuSpecError";
    this.code = fields.code;
    this.details = fields.details ?? {};
  }
}

/** True for a DiffuSpecError of any copy of this package. */
export function isDiffuSpecError(error: unknown): error is DiffuSpecError {
  return typeof error === "object" && error !== null && MARKER in error;
}

/** The error of an aborted call: name "AbortError", code "ERR_ABORTED", the signal's reason as cause. */
export function abortError(signal?: AbortSignal): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_ABORTED",
    what: "The call was aborted",
    why: "its AbortSignal fired",
    next: "Nothing needs cleaning up; start a new call when you like.",
    cause: signal?.reason,
  });
}
