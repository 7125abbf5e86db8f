import type { ElementType } from "../onnx/model.ts";

/** Where a tensor lies in a weight file. */
export interface StoredTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Bytes from the start of the file, a multiple of 64. */
  readonly offset: number;
  readonly length: number;
  /** File name, where it is not the index's own. */
  readonly location?: string;
}

/** A weight file as graphs refer to it: they lie in the same folder. */
export interface WeightIndex {
  /** File name. */
  readonly location: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}
