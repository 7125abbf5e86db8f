import { type GraphBuilder, MICROSOFT } from "./builder.ts";
import { type Arithmetic, pickedProduct, product } from "./product.ts";

/** The sizes of a decoder. */
export interface GraphShape {
  readonly layers: number;
  /** Of a hidden row. */
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Of the gated layer. */
  readonly hidden: number;
  readonly vocabularySize: number;
  /** Added to the mean square in every norm. */
  readonly epsilon: number;
  /** Rows of the rotary table. */
  readonly positions: number;
}

export interface BodyOptions {
  readonly shape: GraphShape;
  readonly arithmetic: Arithmetic;
  /** "chain": each row sees those before it. "tree": what attention_bias leaves of them, at position_ids. "open": what attention_bias leaves, later rows included. */
  readonly attention: "chain" | "tree" | "open";
  /** The hidden rows entering each layer and the head are outputs. */
  readonly givesTaps: boolean;
  /** Hidden rows of another model that are an input; 0 for none. */
  readonly readsTaps: number;
  /** Outputs peak_N.qkv, peak_N.gate_up and peak_N.down: the largest magnitude of every input of those products. */
  readonly givesPeaks?: boolean;
}

/**
 * Embedding, layers, and raw_logits float32 [R, vocabularySize] of the rows asked for.
 *
 * Inputs: input_ids int32 [1, S], past_length int64 [1], rows int32 [R], past_N_key and past_N_value float32
 * [1, kvHeads, P, headDim] of which past_length rows are read; attention_bias float32 [1, 1, S, past_length + S];
 * position_ids int64 [1, S]; taps float32 [1, S, readsTaps * width].
 * Outputs: new_kv float32 [2 * layers, kvHeads, S, headDim], tap_N and tap_output float32 [1, S, width].
 */
export function decoderBody(graph: GraphBuilder, options: BodyOptions): void {
  const { shape, attention, givesTaps, readsTaps, arithmetic } = options;
  const { layers, width, kvHeads, headDim } = shape;
  declareInputs(graph, attention);
  let x = embed(graph, readsTaps > 0 ? "embedded" : "tap_0");
  if (readsTaps > 0) x = readTaps(graph, x, options);
  let normed = graph.node("SimplifiedLayerNormalization", [x, graph.weight("0.norm1")], "n0", norm(shape));
  const fresh: string[] = [];
  for (let i = 0; i < layers; i++) {
    const p = `l${i}.`;
    if (givesTaps) graph.output(x, "float32", [1, "S", width]);
    for (const side of ["key", "value"]) graph.input(`past_${i}_${side}`, "float32", [1, kvHeads, "P", headDim]);
    attend(graph, i, normed, options);
    for (const side of ["k", "v"])
      fresh.push(
        graph.node("Slice", [`${p}p${side}`, "past_length", "total", graph.int64("axis2", 2)], `${p}n${side}`),
      );
    product(graph, `${p}a`, `${i}.o`, `${p}o`, { arithmetic, inputs: shape.heads * headDim });
    skipNorm(graph, [x, `${p}o`, `${i}.norm2`], `${p}n2`, `${p}x1`, shape);
    feedForward(graph, i, options);
    if (options.givesPeaks) givePeaks(graph, i, normed, shape);
    x = `tap_${i + 1}`;
    normed = i === layers - 1 ? "tap_output" : `n${i + 1}`;
    skipNorm(graph, [`${p}x1`, `${p}d`, i === layers - 1 ? "norm" : `${i + 1}.norm1`], normed, x, shape);
  }
  graph.output("new_kv", "float32", [2 * layers, kvHeads, "S", headDim]);
  graph.node("Concat", fresh, "new_kv", { axis: 0 });
  graph.node("Gather", ["tap_output", "rows"], "looked_at", { axis: 1 });
  const has = (name: string) => graph.weights.tensors.has(name);
  const how = { arithmetic, inputs: width, rowsLike: "rows" };
  if (has("vocabulary")) {
    const head = has("head.q") || has("head.w") ? "head" : "embedding";
    pickedProduct(graph, "looked_at", head, graph.weight("vocabulary"), "logits3", how);
  } else {
    const head = has("head.q") || has("head.q8") || has("head.w") ? "head" : "embedding";
    product(graph, "looked_at", head, "logits3", { ...how, transposed: true });
  }
  graph.node("Squeeze", ["logits3", graph.int64("axis0", 0)], "raw_logits");
  if (givesTaps) graph.output("tap_output", "float32", [1, "S", width]);
}

function declareInputs(graph: GraphBuilder, attention: BodyOptions["attention"]): void {
  graph.input("input_ids", "int32", [1, "S"]);
  graph.input("past_length", "int64", [1]);
  graph.input("rows", "int32", ["R"]);
  if (attention !== "chain") graph.input("attention_bias", "float32", [1, 1, "S", "T"]);
  if (attention === "tree") graph.input("position_ids", "int64", [1, "S"]);
  graph.node("Shape", ["input_ids"], "count", { start: 1, end: 2 });
  graph.node("Add", ["past_length", "count"], "total");
  graph.node("Cast", [graph.node("Sub", ["total", graph.int64("one64", 1)], "total_1")], "seqlens", { to: 6 });
  graph.node("Cast", [graph.node("Squeeze", ["total", graph.int64("axis0", 0)], "total_0")], "total_len", { to: 6 });
}

function embed(graph: GraphBuilder, out: string): string {
  if (graph.weights.tensors.has("embedding.w"))
    return graph.node("Gather", [graph.weight("embedding.w"), "input_ids"], out);
  const rows = graph.node("Gather", [graph.weight("embedding.q"), "input_ids"], "e.q");
  const full = graph.node("Cast", [rows], "e.f", { to: 1 });
  const scale = graph.node("Gather", [graph.weight("embedding.s"), "input_ids"], "e.s");
  return graph.node("Mul", [full, graph.node("Unsqueeze", [scale, graph.int64("last", -1)], "e.S")], out);
}

/** Adds what another model thought of each id. In fp32: the rows of masks are all zero, and have no scale. */
function readTaps(graph: GraphBuilder, embedded: string, { shape, readsTaps }: BodyOptions): string {
  const { width } = shape;
  graph.input("taps", "float32", [1, "S", readsTaps * width]);
  const parts = Array.from({ length: readsTaps }, (_, i) => `tapped_${i}`);
  graph.node("Split", ["taps", graph.int64("tap_widths", ...parts.map(() => width))], parts, { axis: -1 });
  const normed = parts.map((part, i) =>
    graph.node("SimplifiedLayerNormalization", [part, graph.weight(`taps.norm${i}`)], `${part}.n`, norm(shape)),
  );
  graph.node("Concat", normed, "tapped", { axis: -1 });
  product(graph, "tapped", "taps.join", "tapped.join", { arithmetic: "fp32", inputs: readsTaps * width });
  return graph.node("Add", [embedded, "tapped.join"], "tap_0");
}

/** GroupQueryAttention over the fused product; where queries and keys have norms of their own, over its three parts. */
function attend(graph: GraphBuilder, layer: number, x: string, { shape, attention, arithmetic }: BodyOptions): void {
  const { heads, kvHeads, headDim } = shape;
  const p = `l${layer}.`;
  product(graph, x, `${layer}.qkv`, `${p}qkv`, { arithmetic, inputs: shape.width });
  let parts = [`${p}qkv`, "", ""];
  if (graph.weights.tensors.has(`${layer}.q_norm`)) {
    const sizes = graph.int64("qkv_widths", heads * headDim, kvHeads * headDim, kvHeads * headDim);
    parts = [`${p}q`, `${p}k`, `${p}v`];
    graph.node("Split", [`${p}qkv`, sizes], parts, { axis: -1 });
    parts = [
      headNorm(graph, `${p}q`, `${layer}.q_norm`, heads, shape),
      headNorm(graph, `${p}k`, `${layer}.k_norm`, kvHeads, shape),
      `${p}v`,
    ];
  }
  const inputs = [
    ...parts,
    `past_${layer}_key`,
    `past_${layer}_value`,
    "seqlens",
    "total_len",
    graph.weight("cos"),
    graph.weight("sin"),
  ];
  if (attention !== "chain") inputs.push(attention === "tree" ? "position_ids" : "", "attention_bias");
  const attributes = {
    num_heads: heads,
    kv_num_heads: kvHeads,
    do_rotary: 1,
    ...(attention === "open" && { causal: 0 }),
  };
  graph.node("GroupQueryAttention", inputs, [`${p}a`, `${p}pk`, `${p}pv`], attributes, MICROSOFT);
}

/** RMSNorm of every head by itself. [1, S, count * headDim] */
function headNorm(graph: GraphBuilder, x: string, weight: string, count: number, shape: GraphShape): string {
  const { headDim } = shape;
  const split = graph.node("Reshape", [x, graph.int64(`heads_${count}`, 1, -1, count, headDim)], `${x}.h`);
  graph.node("SimplifiedLayerNormalization", [split, graph.weight(weight)], `${x}.hn`, norm(shape));
  return graph.node("Reshape", [`${x}.hn`, graph.int64(`flat_${count}`, 1, -1, count * headDim)], `${x}.n`);
}

/** silu(gate) * up, then down; QuickGelu with alpha 1 is silu in one node. */
function feedForward(graph: GraphBuilder, layer: number, { shape, arithmetic }: BodyOptions): void {
  const p = `l${layer}.`;
  product(graph, `${p}n2`, `${layer}.gate_up`, `${p}gu`, { arithmetic, inputs: shape.width });
  graph.node("Split", [`${p}gu`, graph.int64("halves", shape.hidden, shape.hidden)], [`${p}g`, `${p}u`], { axis: -1 });
  graph.node("QuickGelu", [`${p}g`], `${p}s`, { alpha: { float: 1 } }, MICROSOFT);
  graph.node("Mul", [`${p}s`, `${p}u`], `${p}h`);
  product(graph, `${p}h`, `${layer}.down`, `${p}d`, { arithmetic, inputs: shape.hidden });
}

/** float32 [columns], the largest magnitude over all rows. */
function givePeaks(graph: GraphBuilder, layer: number, normed: string, { width, hidden }: GraphShape): void {
  const p = `l${layer}.`;
  for (const [product, x, columns] of [
    ["qkv", normed, width],
    ["gate_up", `${p}n2`, width],
    ["down", `${p}h`, hidden],
  ] as const) {
    const name = `peak_${layer}.${product}`;
    graph.node("ReduceMax", [graph.node("Abs", [x], `${name}.a`)], name, { axes: [0, 1], keepdims: 0 });
    graph.output(name, "float32", [columns]);
  }
}

/** sum = a + b and its norm, in one node. */
function skipNorm(
  graph: GraphBuilder,
  [a, b, gain]: [string, string, string],
  normed: string,
  sum: string,
  shape: GraphShape,
): void {
  const { epsilon } = norm(shape);
  graph.node(
    "SkipSimplifiedLayerNormalization",
    [a, b, graph.weight(gain)],
    [normed, "", "", sum],
    { epsilon },
    MICROSOFT,
  );
}

const norm = ({ epsilon }: GraphShape) => ({ epsilon: { float: epsilon }, axis: -1 });
