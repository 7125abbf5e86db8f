import { randomUUID } from "node:crypto";
import { isDiffuSpecError } from "@diffuspec/contracts";
import { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ApiError, modelNotFound, toApiError } from "./api-error.ts";
import { readJson } from "./body.ts";
import { parseCompletionRequest } from "./completion-request.ts";
import { runCompletion } from "./completions.ts";
import { isLoopbackHost, isLoopbackOrigin } from "./hosts.ts";
import type { ServedModel } from "./served-model.ts";

export interface AppOptions {
  readonly model: ServedModel;
  /** The name clients use; default the model's own. */
  readonly modelName?: string;
  /** Longest body of a request. */
  readonly maxBodyBytes?: number;
  /** Told of every failure that is not the client's, with the x-request-id of its answer. */
  readonly onError?: (error: unknown, requestId: string) => void;
}

export const APP_DEFAULTS = { maxBodyBytes: 2 ** 20 } as const;

export type App = Hono<{ Variables: { requestId: string } }>;

/** The routes, as a function from Request to Response; it opens no socket. Meant for loopback: other hosts get 403. */
export function createApp(options: AppOptions): App {
  const { model, modelName = model.info.model, maxBodyBytes = APP_DEFAULTS.maxBodyBytes, onError = () => {} } = options;
  const { contextLength, vocabularySize } = model.info;
  const card = { id: modelName, object: "model", created: Math.floor(Date.now() / 1000), owned_by: "diffuspec" };
  let engineLost = false;
  const app: App = new Hono();

  function report(error: unknown, requestId: string): void {
    if (isDiffuSpecError(error) && (error.code === "ERR_WORKER" || error.code === "ERR_CLOSED")) engineLost = true;
    if (toApiError(error).status >= 500) onError(error, requestId);
  }

  app.use(async (c, next) => {
    c.set("requestId", randomUUID());
    await next();
    c.header("x-request-id", c.get("requestId"));
  });

  app.use(async (c, next) => {
    const origin = c.req.header("origin");
    if (!isLoopbackHost(c.req.header("host"))) throw forbidden("Host", "host_not_allowed");
    if (origin !== undefined && !isLoopbackOrigin(origin)) throw forbidden("Origin", "origin_not_allowed");
    await next();
  });

  app.get("/health", (c) => (engineLost ? c.json({ status: "error" }, 503) : c.json({ status: "ok" })));

  app.get("/v1/models", (c) => c.json({ object: "list", data: [card] }));

  // A name may hold slashes, as "owner/name" does.
  app.get("/v1/models/:id{.+}", (c) => {
    const id = c.req.param("id");
    if (id !== modelName) throw modelNotFound(id, modelName);
    return c.json(card);
  });

  app.post("/v1/completions", async (c) => {
    const { signal } = c.req.raw;
    const requestId = c.get("requestId");
    try {
      const body = await readJson(c.req.raw, maxBodyBytes);
      const request = parseCompletionRequest(body, { modelName, contextLength, vocabularySize });
      return await runCompletion({ model, modelName, request, signal, onError: (error) => report(error, requestId) });
    } catch (error) {
      // A client that left in mid-request is nobody's failure.
      if (signal.aborted) throw new ApiError(499, { message: "The client is gone.", type: "client_closed_request" });
      throw error instanceof Error ? error : toApiError(error);
    }
  });

  app.notFound((c) => {
    const message = `Unknown request URL: ${c.req.method} ${c.req.path.slice(0, 200)}.`;
    return c.json(new ApiError(404, { message, type: "invalid_request_error", code: "unknown_url" }).body, 404);
  });

  app.onError((error, c) => {
    const { status, body, headers } = toApiError(error);
    report(error instanceof ApiError ? (error.cause ?? error) : error, c.get("requestId"));
    return c.json(body, status as ContentfulStatusCode, headers);
  });
  return app;
}

function forbidden(header: string, code: string): ApiError {
  const message = `The ${header} header does not name this machine. This server is for loopback only.`;
  return new ApiError(403, { message, type: "permission_error", code });
}
