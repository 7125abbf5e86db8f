/**
 * An OpenAI-compatible HTTP server over a DiffuSpec model: GET /v1/models, POST /v1/completions, GET /health.
 *
 * @module
 * @example
 * import { load } from "diffuspec";
 * const model = await load();
 * const server = await listen(createApp({ model }), { port: 8080 });
 * console.log(server.url);
 */
export type { ErrorBody } from "./api-error.ts";
export { APP_DEFAULTS, type App, type AppOptions, createApp } from "./app.ts";
export { LISTEN_DEFAULTS, type Listening, type ListenOptions, listen } from "./listen.ts";
export type { ServedEvent, ServedModel, ServedOptions, ServedStats } from "./served-model.ts";
