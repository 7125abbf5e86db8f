#!/usr/bin/env node
import { load } from "diffuspec";
import { runCli } from "./cli.ts";

const controller = new AbortController();
const interrupt = () => {
  // A second one does not wait for the pass to end.
  if (controller.signal.aborted) process.exit(130);
  controller.abort();
};
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);

const code = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: controller.signal,
  load,
});
// What loads while it is interrupted would keep the process alive.
if (controller.signal.aborted) process.exit(code);
process.exitCode = code;
