import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { DiffuSpecError } from "@diffuspec/contracts";
import { getRequestListener } from "@hono/node-server";
import { badRequest } from "./api-error.ts";
import type { App } from "./app.ts";
import { isLoopbackAddress } from "./hosts.ts";

export interface ListenOptions {
  /** A loopback address, or "localhost" for 127.0.0.1. */
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port?: number;
}

export const LISTEN_DEFAULTS = { host: "127.0.0.1", port: 8080 } as const satisfies ListenOptions;

/** Time for a request to arrive, headers and all; sockets that may be open. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000, maxConnections: 512 };

export interface Listening {
  /** http://address:port */
  readonly url: string;
  /**
   * Takes no new connection, lets running requests end for up to graceMs, then cuts them. A second call may shorten the wait.
   */
  close(options?: { graceMs?: number }): Promise<void>;
}

/**
 * Serves the app over HTTP/1.1 on loopback.
 *
 * @throws ERR_OPTION for a host beyond loopback, a port out of 0..65535, or an address that is taken
 */
export async function listen(app: Pick<App, "fetch">, options: ListenOptions = {}): Promise<Listening> {
  const { host, port } = { ...LISTEN_DEFAULTS, ...options };
  const address = host === "localhost" ? LISTEN_DEFAULTS.host : host;
  if (typeof address !== "string" || !isLoopbackAddress(address)) throw hostError(String(host));
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw portError(String(port), "it must be an integer in 0..65535");

  let closing: Promise<void> | undefined;
  /** Sockets between requests. Node's own count leaves out those that have not sent any yet. */
  const unused = new Set<Socket>();
  const respond = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    // A request without a Host reaches the app, which refuses it.
    hostname: "host.missing",
    errorHandler: () => Response.json(badRequest("The request is malformed.").body, { status: 400 }),
  });
  const server = createServer(
    { requireHostHeader: false, connectionsCheckingInterval: 5_000 },
    (incoming, outgoing) => {
      const { socket } = incoming;
      unused.delete(socket);
      outgoing.once("close", () => (closing ? socket.end() : unused.add(socket)));
      void respond(incoming, outgoing);
    },
  );
  server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  Object.assign(server, LIMITS);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(portError(`${address}:${port}`, error.message, error)),
    );
    server.listen(port, address, resolve);
  });
  const bound = server.address() as AddressInfo;

  return {
    url: `http://${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close({ graceMs = 10_000 } = {}) {
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      closing ??= new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of unused) socket.destroy();
      return closing.finally(() => clearTimeout(timer));
    },
  };
}

function hostError(host: string): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: `The host is ${JSON.stringify(host)}`,
    why: "this version has no keys and listens on loopback only",
    next: "Use 127.0.0.1 or ::1, and a proxy with authentication in front of it.",
    details: { option: "host", host },
  });
}

function portError(port: string, why: string, cause?: unknown): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: `The server cannot listen on ${port}`,
    why,
    next: "Choose another port; 0 takes a free one.",
    details: { option: "port" },
    cause,
  });
}
