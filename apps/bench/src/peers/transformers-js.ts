import { createStopwatch, type LoadedPeer, type PeerSettings } from "./peer.ts";

/** As much of @huggingface/transformers as is used. */
export interface TransformersModule {
  readonly env: { allowRemoteModels: boolean };
  readonly Tensor: new (type: "int64", data: BigInt64Array, dims: readonly number[]) => object;
  readonly AutoModelForCausalLM: {
    from_pretrained(path: string, options: object): Promise<TransformersModel>;
  };
}

interface TransformersModel {
  generate(options: {
    inputs: object;
    attention_mask: object;
    max_new_tokens: number;
    do_sample: false;
    streamer: { put(ids: readonly (readonly (bigint | number)[])[]): void; end(): void };
  }): Promise<unknown>;
  dispose(): Promise<unknown>;
}

/** Its own generate(), as its users call it; a streamer tells when an id is there. The first thing it streams is the prompt. */
export async function openTransformers(
  module: TransformersModule,
  { model: path, dtype = "q8" }: PeerSettings,
  threads: number,
): Promise<LoadedPeer> {
  module.env.allowRemoteModels = false;
  const model = await module.AutoModelForCausalLM.from_pretrained(path, {
    dtype,
    device: "cpu",
    local_files_only: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  const row = (values: BigInt64Array) => new module.Tensor("int64", values, [1, values.length]);
  return {
    async generate(ids, maxTokens) {
      const watch = createStopwatch();
      let prompt = true;
      await model.generate({
        inputs: row(BigInt64Array.from(ids, BigInt)),
        attention_mask: row(new BigInt64Array(ids.length).fill(1n)),
        max_new_tokens: maxTokens,
        do_sample: false,
        streamer: {
          put([written]) {
            if (!prompt) for (const id of written ?? []) watch.add(Number(id));
            prompt = false;
          },
          end() {},
        },
      });
      return watch.answer();
    },
    dispose: async () => void (await model.dispose()),
  };
}
