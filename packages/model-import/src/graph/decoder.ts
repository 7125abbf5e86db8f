import type { GraphBuilder } from "./builder.ts";
import { type AttentionCache, attend, embed, feedForward, type GraphShape, norm, skipNorm } from "./layers.ts";
import { type Arithmetic, pickedProduct, product } from "./product.ts";

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
    attend(graph, i, normed, { ...options, ...bufferedCache(graph, i, attention) });
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

/** Keys and values of our own graphs: a buffer of which past_length rows are read; only the new rows are given back. */
function bufferedCache(graph: GraphBuilder, layer: number, attention: BodyOptions["attention"]): AttentionCache {
  const tree = attention === "tree" ? "position_ids" : "";
  return {
    past: [`past_${layer}_key`, `past_${layer}_value`],
    present: [`l${layer}.pk`, `l${layer}.pv`],
    rotary: [graph.weight("cos"), graph.weight("sin")],
    ...(attention !== "chain" && { extra: [tree, "attention_bias"] }),
    causal: attention !== "open",
  };
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
