import { stat } from "node:fs/promises";
import { missing } from "../errors.ts";
import { directorySource } from "./directory.ts";
import { ggufSource } from "./gguf.ts";
import type { ModelSource } from "./source.ts";

/**
 * Opens a GGUF file, or a folder with config.json and safetensors.
 *
 * @throws ERR_MODEL_FILE_MISSING, ERR_PARSE, ERR_UNSUPPORTED
 */
export async function openSource(path: string): Promise<ModelSource> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined)
    throw missing(path, "nothing is there", "Pass a .gguf file, or the folder of a Hugging Face model.");
  return stats.isDirectory() ? directorySource(path) : ggufSource(path);
}
