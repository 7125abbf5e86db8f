import { bytes, type Field, float, integer, join, message, text } from "./protobuf.ts";

/** TensorProto.DataType, as far as decoders use it. */
export const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof ELEMENT;

/** A size, or the name of one that is known only when the graph runs. */
export type Size = number | string;

export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Size[];
}

/** A tensor inside the graph's file, or `external` in the weight file beside it. */
export interface Initialiser {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Uint8Array | { readonly location: string; readonly offset: number; readonly length: number };
}

/** Whole numbers are int attributes; { float } says that one is not. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface Node {
  readonly op: string;
  /** "" for the standard operators. */
  readonly domain: string;
  /** "" leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Model {
  readonly name: string;
  readonly producer: string;
  /** Version of each operator set by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly nodes: readonly Node[];
  readonly initialisers: readonly Initialiser[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

/** IR version 8 goes with opset 17, which every runtime of the last years reads. */
const IR_VERSION = 8;

/** A ModelProto, its fields in the order of their numbers; onnx/onnx.proto names them. */
export function encodeModel(model: Model): Uint8Array {
  const graph = [
    ...model.nodes.map((node) => message(1, nodeFields(node))),
    text(2, model.name),
    ...model.initialisers.map((tensor) => message(5, tensorFields(tensor))),
    ...model.inputs.map((value) => message(11, valueFields(value))),
    ...model.outputs.map((value) => message(12, valueFields(value))),
  ];
  return join([
    integer(1, IR_VERSION),
    text(2, model.producer),
    message(7, graph),
    ...Object.entries(model.opsets).map(([domain, version]) => message(8, [text(1, domain), integer(2, version)])),
  ]);
}

function nodeFields({ op, domain, inputs, outputs, attributes }: Node): Field[] {
  const names = Object.keys(attributes).sort();
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...names.map((name) => message(5, attributeFields(name, attributes[name]!))),
    text(7, domain),
  ];
}

function attributeFields(name: string, value: Attribute): Field[] {
  if (typeof value === "number") return [text(1, name), integer(3, value), integer(20, 2)];
  if (typeof value === "string") return [text(1, name), text(4, value), integer(20, 3)];
  if ("float" in value) return [text(1, name), float(2, value.float), integer(20, 1)];
  return [text(1, name), ...value.map((v) => integer(8, v)), integer(20, 7)];
}

function tensorFields({ name, type, dims, data }: Initialiser): Field[] {
  const head = [...dims.map((dim) => integer(1, dim)), integer(2, ELEMENT[type]), text(8, name)];
  if (data instanceof Uint8Array) return [...head, bytes(9, data)];
  const entries = [
    ["location", data.location],
    ["offset", String(data.offset)],
    ["length", String(data.length)],
  ] as const;
  return [...head, ...entries.map(([key, value]) => message(13, [text(1, key), text(2, value)])), integer(14, 1)];
}

function valueFields({ name, type, shape }: Value): Field[] {
  const dims = shape.map((size) => message(1, [typeof size === "number" ? integer(1, size) : text(2, size)]));
  return [text(1, name), message(2, [message(1, [integer(1, ELEMENT[type]), message(2, dims)])])];
}
