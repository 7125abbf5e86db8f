import { createStopwatch, type LoadedPeer, type PeerSettings } from "./peer.ts";

/** As much of node-llama-cpp as is used. */
export interface LlamaModule {
  getLlama(options: object): Promise<{
    loadModel(options: { modelPath: string }): Promise<{
      createContext(options: object): Promise<{ getSequence(options?: object): LlamaSequence }>;
      dispose(): Promise<void>;
    }>;
    dispose(): Promise<void>;
  }>;
  readonly InputLookupTokenPredictor: new () => { updateInputTokens(ids: readonly number[]): void };
}

interface LlamaSequence {
  clearHistory(): Promise<void>;
  evaluate(ids: number[], options: object): AsyncIterable<number>;
}

/** Its sequence, evaluated id by id; nothing of the answer before is kept. The CPU alone, from a prebuilt binary. */
export async function openLlama(
  module: LlamaModule,
  { model: modelPath, lookup, contextLength, eosIds }: PeerSettings,
  threads: number,
): Promise<LoadedPeer> {
  const llama = await module.getLlama({ gpu: false, build: "never", skipDownload: true, maxThreads: threads });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: contextLength, threads, sequences: 1 });
  const predictor = lookup ? new module.InputLookupTokenPredictor() : undefined;
  const sequence = context.getSequence(predictor && { tokenPredictor: predictor });
  return {
    async generate(ids, maxTokens) {
      await sequence.clearHistory();
      predictor?.updateInputTokens([...ids]);
      const watch = createStopwatch();
      for await (const id of sequence.evaluate([...ids], { temperature: 0, yieldEogToken: true })) {
        watch.add(id);
        if (watch.count() === maxTokens || eosIds.includes(id)) break;
      }
      return watch.answer();
    },
    async dispose() {
      await model.dispose();
      await llama.dispose();
    },
  };
}
