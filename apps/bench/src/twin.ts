import { encodeModel, type OnnxValue } from "@diffuspec/model-import";
import type { InferenceSession } from "onnxruntime-node";

/**
 * A graph that takes what another takes and gives these outputs of it in their sizes, all zeros: a pass of it costs what
 * handing inputs and outputs over costs, and the writing of the outputs.
 *
 * @throws an Error where an output has a size that no input has
 */
export function twinOf(
  { inputMetadata, outputMetadata }: Pick<InferenceSession, "inputMetadata" | "outputMetadata">,
  fetched: readonly string[],
): Uint8Array {
  const inputs = inputMetadata.map(tensorOf);
  const outputs = outputMetadata.map(tensorOf).filter(({ name }) => fetched.includes(name));
  const node = (op: string, from: readonly string[], to: string, attributes: Record<string, number> = {}) => ({
    op,
    domain: "",
    inputs: from,
    outputs: [to],
    attributes,
  });
  const constant = (name: string, type: OnnxValue["type"], data: Int32Array | Float32Array | BigInt64Array) => ({
    name,
    type,
    dims: [1],
    data: new Uint8Array(data.buffer),
  });
  const symbols = new Set(outputs.flatMap(({ shape }) => shape.filter((size) => typeof size === "string")));
  const sizes = new Set(outputs.flatMap(({ shape }) => shape.filter((size) => typeof size === "number")));
  return encodeModel({
    name: "twin",
    producer: "@diffuspec/bench",
    opsets: { "": 17 },
    inputs,
    outputs,
    initialisers: [
      constant("zero_float32", "float32", Float32Array.of(0)),
      constant("zero_int32", "int32", Int32Array.of(0)),
      ...[...sizes].map((size) => constant(`size_${size}`, "int64", BigInt64Array.of(BigInt(size)))),
    ],
    nodes: [
      ...[...symbols].map((symbol) => {
        const from = inputs.find(({ shape }) => shape.includes(symbol));
        if (from === undefined) throw new Error(`No input of the graph has the size ${symbol}, which an output has.`);
        const start = from.shape.indexOf(symbol);
        return node("Shape", [from.name], `size_${symbol}`, { start, end: start + 1 });
      }),
      ...outputs.flatMap(({ name, type, shape }) => [
        node(
          "Concat",
          shape.map((size) => `size_${size}`),
          `shape_of_${name}`,
          { axis: 0 },
        ),
        node("Expand", [`zero_${type}`, `shape_of_${name}`], name),
      ]),
    ],
  });
}

function tensorOf(value: InferenceSession.ValueMetadata): OnnxValue {
  const { name } = value;
  if (value.isTensor && (value.type === "float32" || value.type === "int32" || value.type === "int64"))
    return { name, type: value.type, shape: value.shape };
  throw new Error(`The graph's ${name} is of a type that this bench does not hand over.`);
}
