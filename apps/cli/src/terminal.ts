import type { Readable, Writable } from "node:stream";
import { abortError } from "@diffuspec/contracts";
import type { load } from "diffuspec";
import pc from "picocolors";
import { bytes } from "./report.ts";

/** Everything the command touches; tests hand in their own. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Fires on an interrupt. */
  readonly signal: AbortSignal;
  readonly load: typeof load;
}

export type Colors = ReturnType<typeof pc.createColors>;

/** The flag decides; without one, colours are for terminals, and NO_COLOR (https://no-color.org) turns them off. */
export function colorsFor(terminal: Terminal, flag: boolean | undefined): Colors {
  const { NO_COLOR, TERM } = terminal.env;
  const usual = Boolean(terminal.stdout.isTTY) && !NO_COLOR && TERM !== "dumb";
  return pc.createColors(flag ?? usual);
}

/** All of standard input. @throws ERR_ABORTED once the signal fires */
export async function readAll(terminal: Terminal): Promise<string> {
  const chunks: Buffer[] = [];
  const stop = () => terminal.stdin.destroy();
  terminal.signal.addEventListener("abort", stop);
  try {
    for await (const chunk of terminal.stdin) chunks.push(Buffer.from(chunk));
  } catch (error) {
    throw terminal.signal.aborted ? abortError(terminal.signal) : error;
  } finally {
    terminal.signal.removeEventListener("abort", stop);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** One line that is written over and over, and gone at the end; nothing where standard error is no terminal. Bytes. */
export function progressLine({ stderr }: Terminal) {
  let shown = "";
  return (doing: string, done: number, total: number, end: boolean): void => {
    if (!stderr.isTTY) return;
    const line = end ? "" : `${doing} ${bytes(total)}: ${total === 0 ? 100 : Math.floor((100 * done) / total)} %`;
    if (line === shown) return;
    shown = line;
    stderr.write(`\r\x1b[K${line}`);
  };
}
