import { stat } from "node:fs/promises";
import { join } from "node:path";
import { missing } from "../errors.ts";
import { directorySource } from "./directory.ts";
import { ggufSource } from "./gguf.ts";
import { modelDirectorySource } from "./model-directory.ts";
import type { ModelSource } from "./source.ts";

/**
 * Opens a GGUF file, a folder with config.json and safetensors, or a model directory of ours (manifest.json).
 *
 * @throws ERR_MODEL_FILE_MISSING, ERR_PARSE, ERR_UNSUPPORTED
 */
export async function openSource(path: string): Promise<ModelSource> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined)
    throw missing(path, "nothing is there", "Pass a .gguf file, or the folder of a Hugging Face model.");
  if (!stats.isDirectory()) return ggufSource(path);
  const ours = await stat(join(path, "manifest.json")).catch(() => undefined);
  return ours === undefined ? directorySource(path) : modelDirectorySource(path);
}
