import { createReadStream, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
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
  /** Ends the profiles: every pass of the sessions that are not released yet, graph by graph. */
  passes(): Promise<Pass[]>;
  /** Sessions made from now on are not profiled. */
  stop(): void;
}

type Create = (graph: string, options: InferenceSession.SessionOptions) => Promise<InferenceSession>;

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
  const sessions = new Map<string, { graph: string; session: InferenceSession; calls: Call[] }>();
  let made = 0;
  const create = InferenceSession.create as Create;
  const profiled: Create = async (graph, options) => {
    const calls: Call[] = [];
    const prefix = `${made++}_`;
    const profile = { enableProfiling: true, profileFilePrefix: join(folder, prefix) };
    const session = await create.call(InferenceSession, graph, { ...options, ...profile });
    sessions.set(prefix, { graph: basename(graph), session, calls });
    const run = session.run.bind(session) as (...args: unknown[]) => Promise<unknown>;
    session.run = (async (...args: unknown[]) => {
      const begun = performance.now();
      const outputs = await run(...args);
      calls.push({ begun, callMs: performance.now() - begun });
      return outputs;
    }) as InferenceSession["run"];
    const release = session.release.bind(session);
    session.release = () => {
      sessions.delete(prefix);
      return release();
    };
    return session;
  };
  InferenceSession.create = profiled as typeof InferenceSession.create;

  return {
    stop() {
      InferenceSession.create = create as typeof InferenceSession.create;
    },
    async passes() {
      for (const { session } of sessions.values()) session.endProfiling();
      const found: Pass[] = [];
      try {
        for (const [prefix, { graph, calls }] of sessions) {
          const file = readdirSync(folder).find((name) => name.startsWith(prefix));
          if (file === undefined) throw new Error(`The runtime wrote no profile of ${graph}.`);
          const runs = await readProfile(createInterface(createReadStream(join(folder, file))));
          if (runs.length !== calls.length)
            throw new Error(
              `The profile of ${graph} has ${runs.length} of ${calls.length} passes. Ask for fewer tokens.`,
            );
          found.push(...calls.map((call, i) => ({ graph, ...call, ...runs[i]! })));
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
      return found;
    },
  };
}

/** The profile cuts off what is left of a microsecond, half a one in the mean. */
const CUT_OFF = 0.5;

/** An event is a line of its own, of up to a kilobyte; a profile has hundreds of thousands. */
const EVENT = /^\{"cat" : "(Session|Node)".*?"dur" :(\d+),.*?"name" :"([^"]*)"/;

/** Milliseconds of every pass; a pass is written when it ends, behind its operators. */
export async function readProfile(lines: AsyncIterable<string> | Iterable<string>) {
  const runs: { runtimeMs: number; kernelMs: number }[] = [];
  let kernels = 0;
  for await (const line of lines) {
    const [, category, micros, name] = EVENT.exec(line) ?? [];
    if (category === "Node" && name!.endsWith("_kernel_time")) kernels += Number(micros) + CUT_OFF;
    if (category !== "Session" || name !== "model_run") continue;
    runs.push({ runtimeMs: Number(micros) / 1000, kernelMs: kernels / 1000 });
    kernels = 0;
  }
  return runs;
}
