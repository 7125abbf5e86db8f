import { basename } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { twinOf } from "./twin.ts";

/** One pass of a graph. Times in milliseconds. */
export interface Pass {
  /** File name of the graph. */
  readonly graph: string;
  /** By performance.now(). */
  readonly begun: number;
  /** The call of session.run, as JavaScript sees it. */
  readonly callMs: number;
  /** The same call of the graph's twin, right behind it. */
  readonly handOverMs: number;
  /** Everything that was done about the twin. */
  readonly asideMs: number;
  /** Outputs, which the binding copies. */
  readonly outputBytes: number;
}

export interface Watch {
  /** Grows with every pass. */
  readonly passes: readonly Pass[];
  /** Sessions made from now on are not watched. */
  stop(): void;
}

type Create = (graph: string | Uint8Array, options: InferenceSession.SessionOptions) => Promise<InferenceSession>;
type Run = (feeds: object, fetch: readonly string[]) => Promise<InferenceSession.OnnxValueMapType>;

/** Runs a twin behind every pass of the sessions that are created from now on. */
export function watchSessions(): Watch {
  const create = InferenceSession.create as Create;
  const passes: Pass[] = [];
  const watched: Create = async (graph, options) => {
    const session = await create.call(InferenceSession, graph, options);
    const twins = new Map<string, InferenceSession>();
    const openTwin = async (fetch: readonly string[]) => {
      const key = fetch.join();
      const twin = twins.get(key) ?? (await create.call(InferenceSession, twinOf(session, fetch), options));
      twins.set(key, twin);
      return twin;
    };
    const run = session.run.bind(session) as Run;
    const watchedRun: Run = async (feeds, fetch) => {
      const begun = performance.now();
      const outputs = await run(feeds, fetch);
      const ended = performance.now();
      const twin = await openTwin(fetch);
      const handing = performance.now();
      await (twin.run as Run)(feeds, fetch);
      const handed = performance.now();
      passes.push({
        graph: basename(String(graph)),
        begun,
        callMs: ended - begun,
        handOverMs: handed - handing,
        asideMs: handed - ended,
        outputBytes: Object.values(outputs).reduce((sum, { data }) => sum + (data as Float32Array).byteLength, 0),
      });
      return outputs;
    };
    session.run = watchedRun as InferenceSession["run"];
    const release = session.release.bind(session);
    session.release = async () => {
      for (const twin of twins.values()) await twin.release();
      await release();
    };
    return session;
  };
  InferenceSession.create = watched as typeof InferenceSession.create;
  return {
    passes,
    stop() {
      InferenceSession.create = create as typeof InferenceSession.create;
    },
  };
}
