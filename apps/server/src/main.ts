#!/usr/bin/env node
import { load } from "diffuspec";
import { runServer } from "./run-server.ts";

void runServer(process.argv.slice(2), {
  load,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  signals: process,
}).then((code) => {
  process.exitCode = code;
});
