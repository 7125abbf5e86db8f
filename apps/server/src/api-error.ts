import { isDiffuSpecError } from "@diffuspec/contracts";

/** The body of every refusal, as OpenAI's clients read it. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** An error that may be shown to the client: its message says nothing about this machine. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    error: { message: string; type: string; param?: string; code?: string },
    extra: { headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(error.message, extra.cause === undefined ? {} : { cause: extra.cause });
    const { message, type, param = null, code = null } = error;
    this.status = status;
    this.body = { error: { message, type, param, code } };
    this.headers = extra.headers ?? {};
  }
}

/** 400: the request is wrong. `param` is the field's name. */
export const badRequest = (message: string, param?: string, code?: string): ApiError =>
  new ApiError(400, {
    message,
    type: "invalid_request_error",
    ...(param !== undefined && { param }),
    ...(code !== undefined && { code }),
  });

/** 404 for a model name that is not served here. */
export const modelNotFound = (name: string, served: string): ApiError =>
  new ApiError(404, {
    message: `The model ${JSON.stringify(name.slice(0, 100))} does not exist. This server has "${served}".`,
    type: "invalid_request_error",
    param: "model",
    code: "model_not_found",
  });

/** Whatever was thrown, as the client may see it; the original is the cause. Clients are told not to repeat a 500. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (!isDiffuSpecError(error)) return internal(error);
  const { code, message, details } = error;
  if (details.queueFull === true)
    return new ApiError(
      429,
      { message: "Too many requests wait already. Try again soon.", type: "rate_limit_error", code: "queue_full" },
      { headers: { "retry-after": "1" }, cause: error },
    );
  switch (code) {
    case "ERR_OPTION":
      return badRequest(message, typeof details.option === "string" ? toSnake(details.option) : undefined);
    case "ERR_PROMPT":
      return badRequest(message, "prompt");
    case "ERR_CONTEXT_EXCEEDED":
      return badRequest(message, "prompt", "context_length_exceeded");
    case "ERR_CLOSED":
      return new ApiError(
        503,
        { message: "The server is shutting down.", type: "server_error", code: "shutting_down" },
        { cause: error },
      );
    case "ERR_ABORTED":
      return new ApiError(499, { message, type: "client_closed_request", code: "aborted" }, { cause: error });
    default:
      return internal(error, code);
  }
}

function internal(cause: unknown, code?: string): ApiError {
  return new ApiError(
    500,
    {
      message: "The server failed while it worked on the request. Its log holds the reason under this x-request-id.",
      type: "server_error",
      ...(code !== undefined && { code }),
    },
    { headers: { "x-should-retry": "false" }, cause },
  );
}

const toSnake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
