import type { Tensor } from "onnxruntime-node";

/**
 * An input of a graph. The binding reads these four of a Tensor, and two of them are getters there: called from native code,
 * for sixty inputs a pass, they cost more than the rest of the hand-over.
 *
 * @param data as many values as `dims` say
 */
export const input = (
  type: "float32" | "float16" | "int32" | "int64",
  data: ArrayBufferView,
  dims: readonly number[],
) => ({ type, data, dims, location: "cpu" }) as unknown as Tensor;
