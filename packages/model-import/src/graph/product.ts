import { type GraphBuilder, MICROSOFT } from "./builder.ts";

/**
 * How int8 weights are multiplied: as int8 with one activation scale a row; as int8 with one a pass, as published q8 files do
 * ("q8"); or dequantised when the graph is loaded.
 */
export type Arithmetic = "int8" | "q8" | "fp32";

export interface ProductOptions {
  /** Values of a row of x. */
  readonly inputs: number;
  /** The weight is stored [out, in] (an embedding that serves as LM head), not [in, out]. */
  readonly transposed?: boolean;
  /** An input with one column a row of x. */
  readonly rowsLike?: string;
  readonly arithmetic: Arithmetic;
}

/**
 * y = x W (+ b). x [1, rows, in], y [1, rows, out].
 * What the weight file has under the name decides: NAME.w float32, NAME.q4 and NAME.s4 4-bit blocks, NAME.q8 and NAME.s8
 * 8-bit blocks, else NAME.q int8 and NAME.s, a scale for every output. NAME.b is added where there is one.
 */
export function product(graph: GraphBuilder, x: string, name: string, y: string, options: ProductOptions): string {
  const has = (suffix: string) => graph.weights.tensors.has(name + suffix);
  const bias = has(".b");
  const out = bias ? `${y}.x` : y;
  if (has(".w")) floatProduct(graph, x, graph.weight(`${name}.w`), name, out, options.transposed);
  else if (has(".q4")) blockProduct(graph, x, name, 4, out, options.inputs);
  else if (has(".q8")) blockProduct(graph, x, name, 8, out, options.inputs);
  else if (options.arithmetic === "fp32") dequantisedProduct(graph, x, name, out, options.transposed);
  else int8Product(graph, x, [graph.weight(`${name}.q`), graph.weight(`${name}.s`)], name, out, options);
  return bias ? graph.node("Add", [out, graph.weight(`${name}.b`)], y) : out;
}

function floatProduct(graph: GraphBuilder, x: string, w: string, name: string, y: string, transposed = false): void {
  const matrix = transposed ? graph.node("Transpose", [w], `${name}.t`, { perm: [1, 0] }) : w;
  graph.node("MatMul", [x, matrix], y);
}

function dequantisedProduct(graph: GraphBuilder, x: string, name: string, y: string, transposed = false): void {
  const [q, s] = [graph.weight(`${name}.q`), graph.weight(`${name}.s`)];
  const full = graph.node("Cast", [q], `${name}.f`, { to: 1 });
  if (transposed) {
    const column = graph.node("Unsqueeze", [s, graph.int64("last", -1)], `${name}.c`);
    const matrix = graph.node("Mul", [full, column], `${name}.g`);
    graph.node("Transpose", [matrix], `${name}.w`, { perm: [1, 0] });
  } else graph.node("Mul", [full, s], `${name}.w`);
  graph.node("MatMul", [x, `${name}.w`], y);
}

/**
 * y = x W' with the rows W' of an embedding W that `ids` names; the runtime picks them out once, when it loads the graph.
 */
export function pickedProduct(
  graph: GraphBuilder,
  x: string,
  name: string,
  ids: string,
  y: string,
  options: Omit<ProductOptions, "transposed">,
): string {
  const pick = (suffix: string) =>
    graph.node("Gather", [graph.weight(name + suffix), ids], `${name}.picked${suffix}`, { axis: 0 });
  if (graph.weights.tensors.has(`${name}.w`)) floatProduct(graph, x, pick(".w"), `${name}.picked`, y, true);
  else {
    const [q, s] = [pick(".q"), pick(".s")];
    if (options.arithmetic === "fp32") {
      const full = graph.node("Cast", [q], `${name}.picked.f`, { to: 1 });
      const column = graph.node("Unsqueeze", [s, graph.int64("last", -1)], `${name}.picked.c`);
      floatProduct(graph, x, graph.node("Mul", [full, column], `${name}.picked.g`), `${name}.picked`, y, true);
    } else int8Product(graph, x, [q, s], `${name}.picked`, y, { ...options, transposed: true });
  }
  return y;
}

function int8Product(
  graph: GraphBuilder,
  x: string,
  weights: readonly [q: string, s: string],
  name: string,
  y: string,
  options: ProductOptions,
): void {
  let [q] = weights;
  const [, s] = weights;
  if (options.transposed) q = graph.node("Transpose", [q], `${name}.t`, { perm: [1, 0] });
  if (options.arithmetic === "q8") {
    dynamicProduct(graph, x, q, s, y);
    return;
  }
  quantise(graph, x, options.rowsLike ?? "input_ids");
  const one = graph.constant("one", "float32", [], Float32Array.of(1));
  const zeroPoint = graph.constant("zp", "uint8", [], Uint8Array.of(128));
  graph.node("MatMulIntegerToFloat", [`${x}.u`, q, one, s, zeroPoint], `${y}.i`, {}, MICROSOFT);
  graph.node("Mul", [`${y}.i`, `${x}.S`], y);
}

/** The standard operators of a published q8 file, which the runtime fuses; a row's scale depends on the rows beside it. */
function dynamicProduct(graph: GraphBuilder, x: string, q: string, s: string, y: string): void {
  if (graph.first(`${x}.u`)) graph.node("DynamicQuantizeLinear", [x], [`${x}.u`, `${x}.r`, `${x}.z`]);
  graph.node("Cast", [graph.node("MatMulInteger", [`${x}.u`, q, `${x}.z`], `${y}.i`)], `${y}.f`, { to: 1 });
  graph.node("Mul", [`${y}.f`, graph.node("Mul", [`${x}.r`, s], `${y}.s`)], y);
}

/** Row-wise dynamic: scale = max|row| / 127, zero point 128. Rows never see each other, so drafts change no bit. */
function quantise(graph: GraphBuilder, x: string, rowsLike: string): void {
  if (!graph.first(`${x}.u`)) return;
  graph.node("Abs", [x], `${x}.a`);
  graph.node("ReduceMax", [`${x}.a`], `${x}.m`, { axes: [0, 2], keepdims: 0 });
  const step = graph.constant("inv127", "float32", [], Float32Array.of(1 / 127));
  graph.node("Mul", [`${x}.m`, step], `${x}.r`);
  graph.node("QuantizeLinear", [x, `${x}.r`, zeroPoints(graph, rowsLike)], `${x}.u`, { axis: 1 });
  graph.node("Unsqueeze", [`${x}.r`, graph.int64("last", -1)], `${x}.S`);
}

/** uint8 [rows] of 128, one tensor for all products over the same rows. */
function zeroPoints(graph: GraphBuilder, rowsLike: string): string {
  const name = `zp_${rowsLike}`;
  if (!graph.first(name)) return name;
  const flat = graph.node("Reshape", [rowsLike, graph.int64("flat", -1)], `${name}.flat`);
  const value = graph.constant("zp1", "uint8", [1], Uint8Array.of(128));
  return graph.node("Expand", [value, graph.node("Shape", [flat], `${name}.n`)], name);
}

/** MatMulNBits with accuracy level 4: the runtime quantises activations to int8, a block of a row at a time. */
function blockProduct(graph: GraphBuilder, x: string, name: string, bits: 4 | 8, y: string, inputs: number): void {
  const [outputs, , blob] = graph.weights.tensors.get(`${name}.q${bits}`)!.dims as [number, number, number];
  const blockSize = (blob * 8) / bits;
  const operands = [x, graph.weight(`${name}.q${bits}`), graph.weight(`${name}.s${bits}`)];
  const attributes = { K: inputs, N: outputs, bits, block_size: blockSize, accuracy_level: 4 };
  graph.node("MatMulNBits", operands, y, attributes, MICROSOFT);
}
