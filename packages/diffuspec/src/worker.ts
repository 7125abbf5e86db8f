import { parentPort, workerData } from "node:worker_threads";
import { createEngine } from "./engine.ts";
import { settle } from "./exit-guard.ts";
import { type Port, serve } from "./host.ts";

if (parentPort)
  serve(
    parentPort as Port,
    (options, onProgress) => createEngine({ ...options, onProgress }),
    () => settle(workerData as Int32Array),
  );
