import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { DiffuSpecError } from "@diffuspec/contracts";
import type { InferenceSession } from "onnxruntime-node";
import { loadRuntime } from "./runtime.ts";

/** How a graph is loaded, whatever its inputs and outputs. */
export interface GraphOptions {
  /** Path of the ONNX file; its external weights lie beside it. */
  readonly graph: string;
  /** Threads of one operator; default {@link defaultThreads}. */
  readonly threads?: number;
  /** Idle threads wait actively: quicker between operators, but they burn a core each. Default true. */
  readonly spin?: boolean;
  /** Name in messages; default the path. */
  readonly label?: string;
  /** "disabled" for graphs that the runtime's own optimiser cannot take, as some half-precision conversions. Default "all". */
  readonly optimisation?: "all" | "disabled";
}

export interface GraphSession {
  readonly session: InferenceSession;
  readonly threads: number;
  readonly label: string;
}

/** At most four: small models gain nothing from more. */
export function defaultThreads(): number {
  return Math.min(4, availableParallelism());
}

/** @throws ERR_MODEL_FILE_MISSING, ERR_GRAPH (unreadable, truncated), ERR_OPTION, ERR_UNSUPPORTED (no runtime) */
export async function openGraph(options: GraphOptions): Promise<GraphSession> {
  const { graph, threads = defaultThreads(), spin = true, label = graph, optimisation = "all" } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new DiffuSpecError({
      code: "ERR_OPTION",
      what: `threads is ${threads}`,
      why: "it is a positive integer",
      next: "Leave it out for one thread a core, at most four.",
    });
  const { InferenceSession: Session } = await loadRuntime();
  if (!existsSync(graph)) throw missing(label, `there is no file ${graph}`);
  const session = await Session.create(graph, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    logSeverityLevel: 4,
    graphOptimizationLevel: optimisation,
    // Two models take turns: threads that went on spinning after a pass would take the cores from the other's.
    extra: { session: { intra_op: { allow_spinning: spin ? "1" : "0" }, force_spinning_stop: "1" } },
  }).catch((cause: unknown) => {
    throw unreadable(label, cause);
  });
  return { session, threads, label };
}

const missing = (label: string, why: string, cause?: unknown) =>
  new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what: `${label} cannot be loaded`,
    why,
    next: "Restore the model's files; its manifest lists them with their checksums.",
    cause,
  });

function unreadable(label: string, cause: unknown): DiffuSpecError {
  const said = cause instanceof Error ? cause.message : String(cause);
  const absent = /External data path does not exist: "?([^"\n]+)/.exec(said)?.[1];
  if (absent !== undefined) return missing(label, `its weights ${absent} are not there`, cause);
  return new DiffuSpecError({
    code: "ERR_GRAPH",
    what: `${label} cannot be loaded`,
    why: /out of bounds|read in full/.test(said)
      ? "its weight file is shorter than the graph says"
      : `the runtime says: ${said.split("\n")[0]!.slice(0, 300)}`,
    next: "The file may be truncated or altered: compare it with the manifest's checksum.",
    cause,
  });
}

/** A pass went wrong inside the runtime. */
export const failed = (label: string, cause: unknown) =>
  new DiffuSpecError({
    code: "ERR_GRAPH",
    what: `A pass of ${label} failed`,
    why: cause instanceof Error ? cause.message.split("\n")[0]!.slice(0, 300) : String(cause),
    next: "Check the graph with `diffuspec inspect`.",
    cause,
  });

export const closed = (label: string) =>
  new DiffuSpecError({
    code: "ERR_CLOSED",
    what: `${label} was used`,
    why: "it has been disposed",
    next: "Create it again.",
  });
