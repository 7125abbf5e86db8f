import { createGraph } from "./builder.ts";
import type { GraphOptions } from "./graphs.ts";
import { attend, embed, feedForward, norm, skipNorm } from "./layers.ts";
import { product } from "./product.ts";

/**
 * A decoder in the convention of the models published for transformers.js.
 *
 * Inputs, int64: input_ids [batch, sequence], attention_mask [batch, total], position_ids [batch, sequence],
 * num_logits_to_keep [] (the last so many rows; 0: all); float32 past_key_values.N.key and .value
 * [batch, kvHeads, past, headDim]. transformers.js makes the first, empty cache by the name batch_size.
 * Outputs, float32: logits [batch, rows, vocabularySize], present.N.key and .value [batch, kvHeads, total, headDim].
 */
export function publishedGraph({ shape, weights, arithmetic, name }: GraphOptions): Uint8Array {
  const { layers, width, heads, kvHeads, headDim, vocabularySize } = shape;
  const graph = createGraph(weights);
  graph.input("input_ids", "int64", ["batch_size", "sequence_length"]);
  graph.input("attention_mask", "int64", ["batch_size", "total_sequence_length"]);
  graph.input("position_ids", "int64", ["batch_size", "sequence_length"]);
  graph.input("num_logits_to_keep", "int64", []);
  graph.output("logits", "float32", ["batch_size", "rows", vocabularySize]);
  const one = graph.int64("one64", 1);
  const seen = graph.node("ReduceSum", ["attention_mask", one], "seen", { keepdims: 0 });
  graph.node("Cast", [graph.node("Sub", [seen, one], "seen_1")], "seqlens", { to: 6 });
  const total = graph.node("Shape", ["attention_mask"], "total", { start: 1, end: 2 });
  graph.node("Cast", [graph.node("Squeeze", [total, graph.int64("axis0", 0)], "total_0")], "total_len", { to: 6 });

  let x = embed(graph, "x0");
  let normed = graph.node("SimplifiedLayerNormalization", [x, graph.weight("0.norm1")], "n0", norm(shape));
  for (let i = 0; i < layers; i++) {
    const p = `l${i}.`;
    const caches = (of: string) => [`${of}.${i}.key`, `${of}.${i}.value`] as const;
    const [past, present] = [caches("past_key_values"), caches("present")];
    for (const name of past) graph.input(name, "float32", ["batch_size", kvHeads, "past_sequence_length", headDim]);
    for (const name of present)
      graph.output(name, "float32", ["batch_size", kvHeads, "total_sequence_length", headDim]);
    const rotary = [graph.weight("cos"), graph.weight("sin")] as const;
    attend(graph, i, normed, { shape, arithmetic, past, present, rotary, extra: ["position_ids"] });
    product(graph, `${p}a`, `${i}.o`, `${p}o`, { arithmetic, inputs: heads * headDim });
    skipNorm(graph, [x, `${p}o`, `${i}.norm2`], `${p}n2`, `${p}x1`, shape);
    feedForward(graph, i, { shape, arithmetic });
    const last = i === layers - 1;
    x = `x${i + 1}`;
    normed = `n${i + 1}`;
    skipNorm(graph, [`${p}x1`, `${p}d`, last ? "norm" : `${i + 1}.norm1`], normed, x, shape);
  }
  const from = graph.node(
    "Unsqueeze",
    [graph.node("Neg", ["num_logits_to_keep"], "keep"), graph.int64("axis0", 0)],
    "from",
  );
  const kept = graph.node("Slice", [normed, from, graph.int64("end", 2 ** 53 - 1), one], "kept");
  const head = ["head.q", "head.q8", "head.w"].some((own) => weights.tensors.has(own)) ? "head" : "embedding";
  product(graph, kept, head, "logits", { arithmetic, inputs: width, transposed: true });
  return graph.encode(name);
}
