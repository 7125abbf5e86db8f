/** A peer's process: settings come first, then prompts; see remote.ts. Its weights and threads touch nothing of ours. */
import { pathToFileURL } from "node:url";
import { type LlamaModule, openLlama } from "./node-llama-cpp.ts";
import type { PeerSettings } from "./peer.ts";
import type { FromHost, ToHost } from "./remote.ts";
import { pickThreads } from "./threads.ts";
import { openTransformers, type TransformersModule } from "./transformers-js.ts";

const send = (message: FromHost) => void process.send!(message);
const failed = (error: unknown) => send({ failed: error instanceof Error ? error.message : String(error) });

process.once("disconnect", () => process.exit());
process.once("message", async (settings: PeerSettings) => {
  try {
    const module: unknown = await import(pathToFileURL(settings.module).href);
    const open = (threads: number) =>
      settings.kind === "transformers.js"
        ? openTransformers(module as TransformersModule, settings, threads)
        : openLlama(module as LlamaModule, settings, threads);
    const { peer, threads } = await pickThreads(open, settings);
    process.on("message", ({ ids, maxTokens }: ToHost) => {
      peer.generate(ids, maxTokens).then((answer) => send({ answer }), failed);
    });
    send({ ready: { threads } });
  } catch (error) {
    failed(error);
  }
});
