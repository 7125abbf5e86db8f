import { once } from "node:events";
import { isDiffuSpecError } from "@diffuspec/contracts";
import { createApp } from "./app.ts";
import { type Flags, HELP, parseFlags } from "./flags.ts";
import { listen } from "./listen.ts";
import type { ServedModel } from "./served-model.ts";

type LoadedModel = ServedModel & { dispose(): Promise<void> };

/** What the command takes from its surroundings. */
export interface Surroundings {
  readonly load: (options: Flags["load"]) => Promise<LoadedModel>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Emits SIGTERM and SIGINT; the process. */
  readonly signals: NodeJS.EventEmitter;
}

/**
 * The command: loads, listens, prints one line with the address, and serves until a signal. The first signal lets running
 * requests end for ten seconds, a second one cuts them.
 *
 * @returns the exit code: 0 after a signal or --help, 1 for a failure, 2 for wrong usage
 */
export async function runServer(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { load, stdout, stderr } = surroundings;
  const fail = (error: unknown, code: number) => {
    stderr(`diffuspec-server: ${error instanceof Error ? error.message : String(error)}\n`);
    return code;
  };
  let flags: Flags;
  let model: LoadedModel;
  try {
    flags = parseFlags(args);
    if (flags.help) {
      stdout(HELP);
      return 0;
    }
    model = await load(flags.load);
  } catch (error) {
    return fail(error, isDiffuSpecError(error) && error.code === "ERR_OPTION" ? 2 : 1);
  }
  try {
    await serveUntilSignal(model, flags.port, surroundings);
    return 0;
  } catch (error) {
    return fail(error, 1);
  } finally {
    await model.dispose();
  }
}

async function serveUntilSignal(model: LoadedModel, port: number, { stdout, stderr, signals }: Surroundings) {
  const onError = (error: unknown, id: string) => stderr(`diffuspec-server: request ${id}: ${describe(error)}\n`);
  const server = await listen(createApp({ model, onError }), { port });
  const stopped = nextSignal(signals);
  stdout(`diffuspec-server: ${model.info.model} at ${server.url}/v1\n`);
  await stopped;
  const closed = server.close();
  void nextSignal(signals).then(() => server.close({ graceMs: 0 }));
  await closed;
}

function nextSignal(signals: NodeJS.EventEmitter): Promise<unknown> {
  const stop = new AbortController();
  const options = { signal: stop.signal };
  const any = Promise.race(["SIGTERM", "SIGINT"].map((name) => once(signals, name, options)));
  return any.finally(() => stop.abort());
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
