/**
 * Where the embedded pair lies. MODEL_CARD.md in this package says what it is, what it was trained on and what it cannot do.
 *
 * @module
 * @example
 * import { modelDirectory } from "@diffuspec/model-tiny-js";
 * import { openModel } from "@diffuspec/model-files";
 * const model = await openModel(modelDirectory); // checks every file against the manifest
 */
import { fileURLToPath } from "node:url";

/** Absolute path of the folder with manifest.json, graphs, weights, tokenizer and n-gram. */
export const modelDirectory: string = fileURLToPath(new URL("../model", import.meta.url));
