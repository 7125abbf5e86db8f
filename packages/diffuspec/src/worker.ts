import { parentPort } from "node:worker_threads";
import { createEngine } from "./engine.ts";
import { type Port, serve } from "./host.ts";

if (parentPort) serve(parentPort as Port, (options, onProgress) => createEngine({ ...options, onProgress }));
