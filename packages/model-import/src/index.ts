/**
 * GGUF and safetensors in, decoder graphs out: any model of the Llama, Qwen2 and Qwen3 families becomes a model directory.
 * Node only.
 *
 * @module
 * @example
 * import { importModel } from "@diffuspec/model-import";
 * await importModel({
 *   source: "SmolLM2-135M-Instruct.Q4_1.gguf",
 *   out: "models/smollm2-135m",
 *   onProgress: ({ phase, done, total }) => console.log(phase, done / total),
 * });
 */
export type { Calibrate, CalibrationGraph } from "./calibrate.ts";
export type { DecoderConfig, Family } from "./config/decoder-config.ts";
export { type DrafterConfig, type DrafterFile, readDrafter } from "./drafter/drafter-file.ts";
export {
  EXPORT_DEFAULTS,
  type ExportDtype,
  type ExportOptions,
  type ExportResult,
  exportTransformers,
} from "./export/export-transformers.ts";
export { drafterGraph, type GraphOptions, targetGraph } from "./graph/graphs.ts";
export type { GraphShape } from "./graph/layers.ts";
export type { Arithmetic } from "./graph/product.ts";
export { frequencies, type Rope, type RopeScaling, rotaryTables } from "./graph/rope.ts";
export { type ImportResult, importModel } from "./import-model.ts";
export { IMPORT_DEFAULTS, type ImportOptions, type ImportProgress } from "./import-options.ts";
export { firstLayers } from "./onnx/first-layers.ts";
export { encodeModel, type Model as OnnxModel, type Value as OnnxValue } from "./onnx/model.ts";
export type { FormatName } from "./source/dequantise.ts";
export { openGguf } from "./source/gguf.ts";
export type { GgufHeader, MetadataValue } from "./source/gguf-header.ts";
export { openSource } from "./source/open-source.ts";
export { openSafetensors } from "./source/safetensors.ts";
export type { ModelSource } from "./source/source.ts";
export type { TensorFile, TensorInfo } from "./source/tensor-file.ts";
export { planOf, type Step } from "./weights/plan.ts";
export { type BlockRows, type Int8Rows, quantiseBlocks, quantiseRows } from "./weights/quantise.ts";
export { type Smoothing, smoothingOf } from "./weights/smoothing.ts";
export { type Precision, type StoreOptions, storeRope, storeWeights } from "./weights/store.ts";
export { createWeightFile, type WeightFile, type WeightFileOptions } from "./weights/weight-file.ts";
export type { StoredTensor, WeightIndex } from "./weights/weight-index.ts";
