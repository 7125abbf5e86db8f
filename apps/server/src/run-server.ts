import { isDiffuSpecError } from "@diffuspec/contracts";
import { createApp } from "./app.ts";
import { type Flags, HELP, parseFlags } from "./flags.ts";
import { listen } from "./listen.ts";
import type { ServedModel } from "./served-model.ts";

type LoadedModel = ServedModel & { dispose(): Promise<void> };

/** What the command takes from its surroundings. */
export interface Surroundings {
  readonly load: (options: Flags["load"] & { readonly signal: AbortSignal }) => Promise<LoadedModel>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Emits SIGTERM and SIGINT; the process. */
  readonly signals: NodeJS.EventEmitter;
  /** Time for running requests to end after the first signal; default 10,000. */
  readonly graceMs?: number;
}

const SIGNALS = ["SIGTERM", "SIGINT"];
const GRACE_MS = 10_000;

/**
 * The command: loads, listens, prints one line with the address, and serves until a signal. The first signal lets running
 * requests end for graceMs, a second one cuts them; one that comes while the model is loading ends that.
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
  const loading = new AbortController();
  const stopLoading = () => loading.abort();
  for (const name of SIGNALS) surroundings.signals.on(name, stopLoading);
  try {
    flags = parseFlags(args);
    if (flags.help) {
      stdout(HELP);
      return 0;
    }
    model = await load({ ...flags.load, signal: loading.signal });
  } catch (error) {
    if (loading.signal.aborted) return 0;
    return fail(error, isDiffuSpecError(error) && error.code === "ERR_OPTION" ? 2 : 1);
  } finally {
    for (const name of SIGNALS) surroundings.signals.off(name, stopLoading);
  }
  try {
    if (!loading.signal.aborted) await serveUntilSignal(model, flags, surroundings);
    return 0;
  } catch (error) {
    return fail(error, 1);
  } finally {
    await model.dispose();
  }
}

async function serveUntilSignal(model: LoadedModel, flags: Flags, surroundings: Surroundings): Promise<void> {
  const { stdout, stderr, signals, graceMs = GRACE_MS } = surroundings;
  const onError = (error: unknown, id: string) => stderr(`diffuspec-server: request ${id}: ${describe(error)}\n`);
  const { port, modelName = model.info.model } = flags;
  const server = await listen(createApp({ model, modelName, onError }), { port });
  let stopping = false;
  let onSignal = () => {};
  const stopped = new Promise<void>((resolve) => {
    onSignal = () => {
      resolve(server.close({ graceMs: stopping ? 0 : graceMs }));
      stopping = true;
    };
  });
  for (const name of SIGNALS) signals.on(name, onSignal);
  stdout(`diffuspec-server: ${modelName} at ${server.url}/v1\n`);
  await stopped;
  for (const name of SIGNALS) signals.off(name, onSignal);
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
