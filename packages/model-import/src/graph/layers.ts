import { type GraphBuilder, MICROSOFT } from "./builder.ts";
import { type Arithmetic, product } from "./product.ts";

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

export interface LayerOptions {
  readonly shape: GraphShape;
  readonly arithmetic: Arithmetic;
}

/** Where an attention finds what came before, and leaves what it adds. The graph has seqlens and total_len. */
export interface AttentionCache {
  /** Keys, values. */
  readonly past: readonly [string, string];
  readonly present: readonly [string, string];
  /** cos, sin. */
  readonly rotary: readonly [string, string];
  /** position_ids and attention_bias, "" for none. */
  readonly extra?: readonly string[];
  /** Default true. */
  readonly causal?: boolean;
}

/** [1, S, width] of input_ids. */
export function embed(graph: GraphBuilder, out: string): string {
  if (graph.weights.tensors.has("embedding.w"))
    return graph.node("Gather", [graph.weight("embedding.w"), "input_ids"], out);
  const rows = graph.node("Gather", [graph.weight("embedding.q"), "input_ids"], "e.q");
  const full = graph.node("Cast", [rows], "e.f", { to: 1 });
  const scale = graph.node("Gather", [graph.weight("embedding.s"), "input_ids"], "e.s");
  return graph.node("Mul", [full, graph.node("Unsqueeze", [scale, graph.int64("last", -1)], "e.S")], out);
}

/** GroupQueryAttention over the fused product; where queries and keys have norms of their own, over its three parts. */
export function attend(
  graph: GraphBuilder,
  layer: number,
  x: string,
  { shape, arithmetic, past, present, rotary, extra = [], causal = true }: LayerOptions & AttentionCache,
): void {
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
  const inputs = [...parts, ...past, "seqlens", "total_len", ...rotary, ...extra];
  const attributes = {
    num_heads: heads,
    kv_num_heads: kvHeads,
    do_rotary: 1,
    ...(!causal && { causal: 0 }),
  };
  graph.node("GroupQueryAttention", inputs, [`${p}a`, ...present], attributes, MICROSOFT);
}

/** RMSNorm of every head by itself. [1, S, count * headDim] */
function headNorm(graph: GraphBuilder, x: string, weight: string, count: number, shape: GraphShape): string {
  const { headDim } = shape;
  const split = graph.node("Reshape", [x, graph.int64(`heads_${count}`, 1, -1, count, headDim)], `${x}.h`);
  graph.node("SimplifiedLayerNormalization", [split, graph.weight(weight)], `${x}.hn`, norm(shape));
  return graph.node("Reshape", [`${x}.hn`, graph.int64(`flat_${count}`, 1, -1, count * headDim)], `${x}.n`);
}

/** silu(gate) * up, then down; QuickGelu with alpha 1 is silu in one node. */
export function feedForward(graph: GraphBuilder, layer: number, { shape, arithmetic }: LayerOptions): void {
  const p = `l${layer}.`;
  product(graph, `${p}n2`, `${layer}.gate_up`, `${p}gu`, { arithmetic, inputs: shape.width });
  graph.node("Split", [`${p}gu`, graph.int64("halves", shape.hidden, shape.hidden)], [`${p}g`, `${p}u`], { axis: -1 });
  graph.node("QuickGelu", [`${p}g`], `${p}s`, { alpha: { float: 1 } }, MICROSOFT);
  graph.node("Mul", [`${p}s`, `${p}u`], `${p}h`);
  product(graph, `${p}h`, `${layer}.down`, `${p}d`, { arithmetic, inputs: shape.hidden });
}

/** sum = a + b and its norm, in one node. */
export function skipNorm(
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

export const norm = ({ epsilon }: GraphShape) => ({ epsilon: { float: epsilon }, axis: -1 });
