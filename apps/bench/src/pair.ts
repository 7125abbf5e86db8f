import type { Sampler } from "@diffuspec/contracts";
import { openModel } from "@diffuspec/model-files";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { createSampler, type SamplerOptions } from "@diffuspec/spec-loop";
import { type PlainDecoder, pickFastestPlain, type TargetManifest } from "@diffuspec/verifier-ar";
import { createEngine, type Engine, type EngineOptions } from "diffuspec/engine";

/** A pair in this thread, and the fastest one-row loop over the same checkpoint. */
export interface Pair {
  readonly name: string;
  readonly engine: Engine;
  /** The same with other options; loaded when first asked for. */
  engineWith(options: Partial<EngineOptions>): Promise<Engine>;
  readonly plain: PlainDecoder;
  /** The model's own generation defaults with the caller's above. */
  readonly sampling: Partial<SamplerOptions>;
  readonly sampler: Sampler;
  dispose(): Promise<void>;
}

export interface PairOptions {
  /** A model directory; default the embedded pair's. */
  readonly directory?: string;
  readonly sampling?: Partial<SamplerOptions>;
  readonly threads?: number | undefined;
}

export async function loadPair(options: PairOptions = {}): Promise<Pair> {
  const { directory = modelDirectory, sampling = {}, threads } = options;
  const files = await openModel(directory);
  const target = files.manifest.target as TargetManifest;
  const own = (files.manifest.generation ?? {}) as Partial<SamplerOptions>;
  // Without a default drafter, for a pair may be a target alone: sessions name theirs.
  const common = { model: files.dir, drafter: "none", ...(threads !== undefined && { threads }) } as const;
  const engine = await createEngine(common);
  const others = new Map<string, Promise<Engine>>();
  const { plain } = await pickFastestPlain({
    target,
    resolve: (file) => files.path(file),
    threads: engine.info.threads,
  });
  const chosen = { ...own, ...sampling };
  return {
    name: files.manifest.name.split("/").at(-1)!,
    engine,
    engineWith(options) {
      const key = JSON.stringify(options);
      const made = others.get(key) ?? createEngine({ ...common, ...options });
      others.set(key, made);
      return made;
    },
    plain,
    sampling: chosen,
    sampler: createSampler(chosen, target.vocabularySize),
    async dispose() {
      await plain.dispose();
      await engine.dispose();
      for (const other of others.values()) await (await other).dispose();
    },
  };
}
