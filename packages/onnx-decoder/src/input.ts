import type { Tensor } from "onnxruntime-node";

/**
 * An input of a graph: the four properties that the binding reads of a Tensor. Two of them are getters there, and calling
 * those from native code for sixty inputs a pass takes a good part of the hand-over.
 *
 * @param data at least as many values as `dims` say, else the pass fails
 */
export const input = (
  type: "float32" | "float16" | "int32" | "int64",
  data: ArrayBufferView,
  dims: readonly number[],
) => ({ type, data, dims, location: "cpu" }) as unknown as Tensor;
