import { type ChildProcess, fork } from "node:child_process";
import { DiffuSpecError } from "@diffuspec/contracts";
import type { Peer, PeerAnswer, PeerSettings } from "./peer.ts";

/** What is sent to a peer's process after its settings. */
export interface ToHost {
  readonly ids: Int32Array;
  readonly maxTokens: number;
}

/** What it sends: ready once, then an answer for every prompt. */
export type FromHost =
  | { readonly ready: { readonly threads: number } }
  | { readonly answer: PeerAnswer }
  | { readonly failed: string };

/**
 * Starts a peer in a process of its own and waits until it is loaded.
 *
 * @param host the program to run, host.ts as it was built
 * @throws ERR_WORKER where it cannot be loaded
 */
export async function openRemotePeer(
  host: string,
  { name, version, settings }: { name: string; version: string; settings: PeerSettings },
): Promise<Peer> {
  const child = fork(host, [], { serialization: "advanced", execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  const ask = createAsk(child, name);
  try {
    const first = await ask(settings);
    const { threads } = "ready" in first ? first.ready : { threads: 0 };
    return {
      name,
      version,
      dtype: settings.dtype ?? "gguf",
      threads,
      async generate(ids, maxTokens) {
        const reply = await ask({ ids, maxTokens });
        if ("answer" in reply) return reply.answer;
        throw broken(name, "it gave something else than an answer");
      },
      dispose: () => end(child),
    };
  } catch (error) {
    await end(child);
    throw error;
  }
}

/** One question at a time; what the process printed last explains its end. */
function createAsk(child: ChildProcess, name: string) {
  let printed = "";
  child.stderr?.on("data", (chunk) => {
    printed = (printed + String(chunk)).slice(-2000);
  });
  return (message: PeerSettings | ToHost): Promise<FromHost> =>
    new Promise((done, refuse) => {
      const gone = (code: number | null) =>
        refuse(broken(name, `its process ended with ${code ?? "a signal"}. ${lastLine(printed)}`));
      if (!child.connected) return gone(child.exitCode);
      const heard = (reply: FromHost) => {
        child.off("exit", gone);
        if ("failed" in reply) refuse(broken(name, reply.failed));
        else done(reply);
      };
      child.once("exit", gone);
      child.once("message", heard);
      child.send(message);
    });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once("exit", () => done());
    if (child.connected) child.disconnect();
    else child.kill();
  });
}

/** The last line that names an error, else the last one. */
function lastLine(text: string): string {
  const lines = text.trim().split("\n");
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "").slice(0, 300);
}

const broken = (name: string, why: string) =>
  new DiffuSpecError({
    code: "ERR_WORKER",
    what: `${name} cannot answer`,
    why: why.trim(),
    next: "Run without it: --peers takes a list.",
    details: { peer: name },
  });
