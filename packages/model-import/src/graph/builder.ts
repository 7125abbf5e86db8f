import { DiffuSpecError } from "@diffuspec/contracts";
import {
  type Attribute,
  type ElementType,
  encodeModel,
  type Initialiser,
  type Node,
  type Size,
  type Value,
} from "../onnx/model.ts";
import type { WeightIndex } from "../weights/weight-index.ts";

/** Operators outside the standard set, which ONNX Runtime brings along. */
export const MICROSOFT = "com.microsoft";
const OPSETS = { "": 17, [MICROSOFT]: 1 };
const PRODUCER = "@diffuspec/model-import";

/** A graph under construction. Every method gives the name of what it made, so that calls nest. */
export interface GraphBuilder {
  readonly weights: WeightIndex;
  /** Gives the first output. */
  node(
    op: string,
    inputs: readonly string[],
    outputs: string | readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    domain?: string,
  ): string;
  /** A tensor in the graph's own file; the second call with a name changes nothing. */
  constant(name: string, type: ElementType, dims: readonly number[], data: ArrayBufferView): string;
  /** A one-dimensional int64 constant. */
  int64(name: string, ...values: number[]): string;
  /** A tensor of the weight file. @throws ERR_CONTRACT where it has none of this name */
  weight(name: string): string;
  input(name: string, type: ElementType, shape: readonly Size[]): string;
  output(name: string, type: ElementType, shape: readonly Size[]): void;
  /** True at the first call with a name: for what is made once and used often. */
  first(name: string): boolean;
  /** The ModelProto. */
  encode(name: string): Uint8Array;
}

export function createGraph(weights: WeightIndex): GraphBuilder {
  const nodes: Node[] = [];
  const initialisers: Initialiser[] = [];
  const inputs: Value[] = [];
  const outputs: Value[] = [];
  const known = new Set<string>();

  const first = (name: string) => !known.has(name) && Boolean(known.add(name));
  const constant: GraphBuilder["constant"] = (name, type, dims, data) => {
    if (first(name))
      initialisers.push({ name, type, dims, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
    return name;
  };

  return {
    weights,
    first,
    constant,
    node(op, from, to, attributes = {}, domain = "") {
      const made = typeof to === "string" ? [to] : to;
      nodes.push({ op, domain, inputs: from, outputs: made, attributes });
      return made[0]!;
    },
    int64: (name, ...values) => constant(name, "int64", [values.length], BigInt64Array.from(values, BigInt)),
    weight(name) {
      const stored = weights.tensors.get(name);
      if (stored === undefined) throw noWeight(name, weights.location);
      if (first(name)) {
        const { type, dims, offset, length, location = weights.location } = stored;
        initialisers.push({ name, type, dims, data: { location, offset, length } });
      }
      return name;
    },
    input(name, type, shape) {
      inputs.push({ name, type, shape });
      return name;
    },
    output: (name, type, shape) => void outputs.push({ name, type, shape }),
    encode: (name) => encodeModel({ name, producer: PRODUCER, opsets: OPSETS, nodes, initialisers, inputs, outputs }),
  };
}

const noWeight = (name: string, location: string) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `A graph needs the weight ${name}`,
    why: `${location} does not have it`,
    next: "Store it before the graph is built.",
  });
