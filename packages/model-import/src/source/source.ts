import type { DecoderConfig } from "../config/decoder-config.ts";

/** A model to import: its configuration, and its tensors by the names of Hugging Face's Llama. */
export interface ModelSource {
  /** Of the file or the folder. */
  readonly path: string;
  readonly config: DecoderConfig;
  /** Size of a tensor, or undefined where the model has none of that name. */
  shape(name: string): { readonly rows: number; readonly columns: number; readonly bytes: number } | undefined;
  /** float32 [count, columns]; a vector counts as one row. */
  readRows(name: string, first: number, count: number): Promise<Float32Array>;
  /** tokenizer.json, parsed or its text; undefined where the model comes without one that can be used. */
  readonly tokenizer: object | string | undefined;
  readonly chatTemplate: string | undefined;
  readonly licence: string | undefined;
  /** Values of all tensors. */
  readonly parameters: number;
  /** Changes whenever a file of the model does: sizes and times of all of them. */
  readonly fingerprint: string;
  close(): Promise<void>;
}
