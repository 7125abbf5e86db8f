import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Link } from "./client.ts";
import { guardExit } from "./exit-guard.ts";
import { type Reply, type Request, workerError } from "./protocol.ts";

/**
 * Starts the worker thread. It does not keep the process alive until it is told to hold.
 *
 * @throws ERR_WORKER where the build is missing
 */
export function startWorker(): Link {
  const file = workerFile();
  let running = -1;
  const guard = guardExit(() => worker.postMessage({ type: "abort", call: running } satisfies Request));
  const worker = new Worker(file, { name: "diffuspec", workerData: guard.calls });
  let gone = false;
  worker.once("exit", () => {
    gone = true;
    guard.release();
  });
  let crash: Error | undefined;
  worker.on("error", (error) => {
    crash = error;
  });
  return {
    post(request) {
      worker.postMessage(request);
      if (request.type === "load" || request.type === "generate" || request.type === "inspect") guard.raise();
      if ("call" in request) running = request.call;
    },
    onReply: (listener) => void worker.on("message", (reply: Reply) => listener(reply)),
    onGone: (listener) => void worker.once("exit", () => listener(crash)),
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    terminate: async () => {
      // A thread that ends inside a native call takes the process along: the running call is aborted and its pass awaited.
      worker.postMessage({ type: "abort", call: running } satisfies Request);
      const end = Date.now() + 5_000;
      while (!gone && Atomics.load(guard.calls, 0) > 0 && Date.now() < end) await new Promise((r) => setTimeout(r, 2));
      await worker.terminate();
    },
  };
}

/** Beside this file in the build; run from the sources (a test with aliases), it is the build's. */
function workerFile(): URL {
  const source = import.meta.url.endsWith(".ts");
  const file = new URL(source ? "../dist/worker.js" : "./worker.js", import.meta.url);
  if (existsSync(fileURLToPath(file))) return file;
  throw workerError("nothing runs", `${fileURLToPath(file)} is missing: the package is not built`);
}
