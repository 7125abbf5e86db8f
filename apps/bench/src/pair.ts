import type { Sampler } from "@diffuspec/contracts";
import { openModel } from "@diffuspec/model-files";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { createSampler, type SamplerOptions } from "@diffuspec/spec-loop";
import { type PlainDecoder, pickFastestPlain, type TargetManifest } from "@diffuspec/verifier-ar";
import { createEngine, type Engine, type EngineOptions } from "diffuspec/engine";

/** The embedded pair in this thread, and the fastest one-row loop over the same checkpoint. */
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

export async function loadPair(sampling: Partial<SamplerOptions>, threads?: number): Promise<Pair> {
  const files = await openModel(modelDirectory);
  const target = files.manifest.target as TargetManifest;
  const own = (files.manifest.generation ?? {}) as Partial<SamplerOptions>;
  const common = { model: modelDirectory, ...(threads !== undefined && { threads }) };
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
