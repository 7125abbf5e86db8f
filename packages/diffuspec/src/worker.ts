import { parentPort, workerData } from "node:worker_threads";
import { createEngine } from "./engine.ts";
import { settle } from "./exit-guard.ts";
import { type Port, serve } from "./host.ts";

/**
 * An aborted call ends before a draft that is under way: its pass is already queued with setImmediate, as the runtime's
 * binding does. Two turns later that pass is over, and a process that waits to exit may do so.
 */
const settleLater = () => setImmediate(() => setImmediate(() => settle(workerData as Int32Array)));

if (parentPort) serve(parentPort as Port, (options, watch) => createEngine({ ...options, ...watch }), settleLater);
