/**
 * Where the drafters of SmolLM2-135M-Instruct lie. They have no weights of that model: their graphs are made when the model is
 * imported, over the embedding that is imported then. MODEL_CARD.md says what they learnt from and what they cannot do.
 *
 * @module
 * @example
 * import { importModel } from "@diffuspec/model-import";
 * import { drafterFile, ngramFile } from "@diffuspec/model-smollm2";
 * const source = "SmolLM2-135M-Instruct.Q4_1.gguf";
 * await importModel({ source, out: "models/smollm2-135m", drafter: drafterFile, ngram: ngramFile });
 */
import { fileURLToPath } from "node:url";

/** Absolute path of the drafter, for importModel's option `drafter`. */
export const drafterFile: string = fileURLToPath(new URL("../weights/drafter.safetensors", import.meta.url));

/** Absolute path of the drafter that reads nothing of the target, in place of `drafterFile`. It drafts less well. */
export const standAloneFile: string = fileURLToPath(new URL("../weights/stand-alone.safetensors", import.meta.url));

/** Absolute path of a token n-gram of the model's own text, for importModel's option `ngram`. */
export const ngramFile: string = fileURLToPath(new URL("../weights/ngram.bin", import.meta.url));
