import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { optionError } from "../errors.ts";
import { publishedGraph } from "../graph/published.ts";
import { readTokenizer } from "../import-model.ts";
import { openSource } from "../source/open-source.ts";
import type { ModelSource } from "../source/source.ts";
import { planOf } from "../weights/plan.ts";
import { bytesOf, type Precision, storeRope, storeWeights } from "../weights/store.ts";
import { createWeightFile } from "../weights/weight-file.ts";
import { hubFiles } from "./hub-files.ts";

/** Weights, by the names that transformers.js gives them. */
export type ExportDtype = "fp32" | "q8" | "q4";

/** Options of {@link exportTransformers}. */
export interface ExportOptions {
  /** A model directory of ours, a .gguf file, or the folder of a Hugging Face model. */
  readonly source: string;
  /** The folder to write; it must not exist. */
  readonly out: string;
  /** One or several. Default "q8". */
  readonly dtype?: ExportDtype | readonly ExportDtype[];
  /** Most ids of prompt and completion together; default 2,048, and never more than the model was trained for. */
  readonly contextLength?: number;
  /** Path of a tokenizer.json, where the source has none that can be used. */
  readonly tokenizer?: string;
  /** Bytes of the source that are converted. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Looked at between reads of a few MiB. */
  readonly signal?: AbortSignal;
}

export const EXPORT_DEFAULTS = { dtype: "q8", contextLength: 2048 } as const;

export interface ExportResult {
  /** Absolute path of the folder. */
  readonly dir: string;
  /** Bytes by path within it. */
  readonly files: Readonly<Record<string, number>>;
}

/** What a dtype's file is called, how its weights are stored, and how int8 ones are multiplied. */
const DTYPES = {
  fp32: { file: "model.onnx", precision: "fp32", arithmetic: "fp32" },
  q8: { file: "model_quantized.onnx", precision: "int8", arithmetic: "q8" },
  q4: { file: "model_q4.onnx", precision: "int4", arithmetic: "q8" },
} as const satisfies Record<ExportDtype, { file: string; precision: Precision; arithmetic: "fp32" | "q8" }>;

/**
 * Writes a model as transformers.js runs it: config.json, generation_config.json, tokenizer.json, tokenizer_config.json and
 * onnx/model*.onnx with its weights beside it in model*.onnx_data.
 *
 * fp32: the weights as they are, blocks of GGUF and int8 rows dequantised. q8: int8 with a scale for every output, and one
 * activation scale a pass (DynamicQuantizeLinear, MatMulInteger). q4: MatMulNBits in blocks of 32, the embedding and the LM
 * head at 8 bits. Products of queries, keys and values, and of gate and up, are one each; attention is GroupQueryAttention.
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_PARSE, ERR_UNSUPPORTED, ERR_ABORTED
 */
export async function exportTransformers(options: ExportOptions): Promise<ExportResult> {
  const dtypes = checkOptions(options);
  const dir = resolve(options.out);
  if ((await stat(dir).catch(() => undefined)) !== undefined)
    throw optionError("out", options.out, "a path where nothing is yet");
  const part = `${dir}.part`;
  const source = await openSource(options.source);
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(join(part, "onnx"), { recursive: true });
    const files = await write(source, part, dtypes, options);
    await rename(part, dir);
    return { dir, files };
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  } finally {
    await source.close();
  }
}

async function write(source: ModelSource, part: string, dtypes: readonly ExportDtype[], options: ExportOptions) {
  const { onProgress, signal } = options;
  const { config } = source;
  const steps = planOf(source);
  const contextLength = Math.min(options.contextLength ?? EXPORT_DEFAULTS.contextLength, config.contextLength);
  const { layers, width, heads, kvHeads, headDim, hidden, vocabularySize, epsilon } = config;
  const shape = { vocabularySize, width, heads, kvHeads, headDim, hidden, epsilon, positions: contextLength, layers };
  const tokenizer = await readTokenizer(source, options.tokenizer);
  const total = dtypes.length * steps.reduce((sum, step) => sum + bytesOf(source, step), 0);
  let done = 0;
  const onStored = (bytes: number) => {
    done += bytes;
    onProgress?.({ done, total });
  };
  for (const dtype of dtypes) {
    const { file, precision, arithmetic } = DTYPES[dtype];
    const weights = await createWeightFile(join(part, "onnx", `${file}_data`));
    try {
      await storeRope(weights, config.rope, headDim, contextLength);
      await storeWeights(source, steps, weights, { precision, onStored, ...(signal && { signal }) });
    } finally {
      await weights.close();
    }
    await writeFile(join(part, "onnx", file), publishedGraph({ shape, weights, arithmetic, name: file }));
  }
  const texts = {
    "tokenizer.json": tokenizer,
    ...Object.fromEntries(
      Object.entries(
        hubFiles(config, {
          contextLength,
          tied: !steps.some(({ name }) => name === "head"),
          graphs: dtypes.map((dtype) => DTYPES[dtype].file),
          tokenizer: JSON.parse(tokenizer) as object,
          chatTemplate: source.chatTemplate,
        }),
      ).map(([name, value]) => [name, `${JSON.stringify(value, null, 2)}\n`]),
    ),
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(part, name), text);
  const graphs = dtypes.map((dtype) => `onnx/${DTYPES[dtype].file}`).flatMap((name) => [name, `${name}_data`]);
  const names = [...Object.keys(texts), ...graphs];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, (await stat(join(part, name))).size])));
}

const OPTIONS = ["source", "out", "dtype", "contextLength", "tokenizer", "onProgress", "signal"];

function checkOptions(options: ExportOptions): ExportDtype[] {
  const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (unknown !== undefined) throw optionError("The option", unknown, `one of ${OPTIONS.join(", ")}`);
  for (const option of ["source", "out"] as const)
    if (typeof options[option] !== "string" || options[option] === "")
      throw optionError(option, options[option], "a path");
  const given = options.dtype ?? EXPORT_DEFAULTS.dtype;
  const dtypes = [...new Set(typeof given === "string" ? [given] : given)];
  if (dtypes.length === 0 || !dtypes.every((dtype) => Object.hasOwn(DTYPES, dtype)))
    throw optionError("dtype", given, `one or several of ${Object.keys(DTYPES).join(", ")}`);
  const { contextLength } = options;
  if (contextLength !== undefined && !(Number.isInteger(contextLength) && contextLength >= 2))
    throw optionError("contextLength", contextLength, "an integer of at least 2");
  return dtypes;
}
