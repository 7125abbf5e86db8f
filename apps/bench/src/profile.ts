import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { InferenceSession } from "onnxruntime-node";

/** One pass of a graph. Times in milliseconds. */
export interface Pass {
  /** File name of the graph. */
  readonly graph: string;
  /** By performance.now(). */
  readonly begun: number;
  /** The call of session.run, as JavaScript sees it. */
  readonly callMs: number;
  /** What the runtime spent on it beneath its binding, the profile's own writing included. */
  readonly runtimeMs: number;
  /** The sum of its operators' kernels. */
  readonly kernelMs: number;
}

export interface Profiler {
  /** Ends the profiles: every pass since, in the order of its graph. Before the sessions are released. */
  passes(): Pass[];
  /** Sessions made from now on are not profiled. */
  stop(): void;
}

interface Call {
  readonly begun: number;
  readonly callMs: number;
}

/**
 * Profiles every session that is created from now on, by ONNX Runtime's own profiler. The option goes round the packages,
 * straight into the runtime: nothing but this bench wants it.
 */
export function profileSessions(): Profiler {
  const folder = mkdtempSync(join(tmpdir(), "diffuspec-profile-"));
  const sessions: { graph: string; session: InferenceSession; calls: Call[] }[] = [];
  const create = InferenceSession.create;
  const profiled = async (graph: string, options: InferenceSession.SessionOptions): Promise<InferenceSession> => {
    const calls: Call[] = [];
    const profileFilePrefix = join(folder, `${sessions.length}`);
    const known = { graph: basename(graph), calls };
    const at = sessions.push({ ...known, session: undefined as unknown as InferenceSession }) - 1;
    const session = await create.call(InferenceSession, graph, {
      ...options,
      enableProfiling: true,
      profileFilePrefix,
    });
    sessions[at] = { ...known, session };
    const run = session.run.bind(session) as (...args: unknown[]) => Promise<unknown>;
    session.run = (async (...args: unknown[]) => {
      const begun = performance.now();
      const outputs = await run(...args);
      calls.push({ begun, callMs: performance.now() - begun });
      return outputs;
    }) as InferenceSession["run"];
    return session;
  };
  InferenceSession.create = profiled as typeof create;

  return {
    stop() {
      InferenceSession.create = create;
    },
    passes() {
      for (const { session } of sessions) session.endProfiling();
      const found = sessions.flatMap(({ graph, calls }, index) => {
        const file = readdirSync(folder).find((name) => name.startsWith(`${index}_`));
        if (file === undefined) throw new Error(`The runtime wrote no profile of ${graph}.`);
        const runs = readProfile(readFileSync(join(folder, file), "utf8"));
        if (runs.length !== calls.length)
          throw new Error(
            `The profile of ${graph} has ${runs.length} of ${calls.length} passes. Ask for fewer tokens.`,
          );
        return calls.map((call, i) => ({ graph, ...call, ...runs[i]! }));
      });
      rmSync(folder, { recursive: true });
      return found;
    },
  };
}

interface Event {
  readonly cat?: string;
  readonly name: string;
  /** Microseconds, whole ones. */
  readonly dur: number;
}

/** The profile cuts off what is left of a microsecond, half a one in the mean. */
const CUT_OFF = 0.5;

/** A pass is written when it ends, behind its operators. */
export function readProfile(text: string): { runtimeMs: number; kernelMs: number }[] {
  const runs: { runtimeMs: number; kernelMs: number }[] = [];
  let kernels = 0;
  for (const { cat, name, dur } of JSON.parse(text) as Event[]) {
    if (cat === "Node" && name.endsWith("_kernel_time")) kernels += dur + CUT_OFF;
    if (cat !== "Session" || name !== "model_run") continue;
    runs.push({ runtimeMs: dur / 1000, kernelMs: kernels / 1000 });
    kernels = 0;
  }
  return runs;
}
