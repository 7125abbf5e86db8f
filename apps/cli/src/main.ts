#!/usr/bin/env node
import { load } from "diffuspec";
import { runCli } from "./cli.ts";

const controller = new AbortController();
const interrupt = () => {
  // A second one does not wait for the step of loading, or the pass, to end.
  if (controller.signal.aborted) process.exit(130);
  controller.abort();
};
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: controller.signal,
  load,
});
