import type { GraphBuilder } from "./builder.ts";

/** argmax int32 [R] (the lowest id of the largest logits) and logits float32 [R, vocabularySize]. */
export function targetHead(graph: GraphBuilder, vocabularySize: number): void {
  graph.node("Identity", ["raw_logits"], "logits");
  graph.node("Cast", [graph.node("ArgMax", ["raw_logits"], "best", { axis: -1, keepdims: 0 })], "argmax", { to: 6 });
  graph.output("logits", "float32", ["R", vocabularySize]);
  graph.output("argmax", "int32", ["R"]);
}

/**
 * top_ids int32 and top_logits float32 [R, top], log_sum_exp float32 [R], the mask id struck from all; and logits, unless
 * the drafter knows a part of the vocabulary only.
 */
export function drafterHead(graph: GraphBuilder, vocabularySize: number, maskId: number, top: number): void {
  const partial = graph.weights.tensors.has("vocabulary");
  const logits = partial ? "raw_logits" : strike(graph, vocabularySize, maskId);
  graph.node("TopK", [logits, graph.int64("top", top)], ["top_logits", "top64"], { axis: -1 });
  if (partial) graph.node("Gather", [graph.weight("vocabulary"), "top64"], "top_ids", { axis: 0 });
  else graph.node("Cast", ["top64"], "top_ids", { to: 6 });
  // ln sum exp from the best entry: its logit less its log-softmax, whose kernel is vectorised as ReduceLogSumExp's is not
  const best = { axes: [-1], keepdims: 0 };
  graph.node("ReduceMax", [graph.node("LogSoftmax", [logits], "log_q", { axis: -1 })], "best_log_q", best);
  graph.node("Sub", [graph.node("ReduceMax", [logits], "best_logit", best), "best_log_q"], "log_sum_exp");
  graph.output("top_ids", "int32", ["R", top]);
  graph.output("top_logits", "float32", ["R", top]);
  graph.output("log_sum_exp", "float32", ["R"]);
  if (!partial) graph.output("logits", "float32", ["R", vocabularySize]);
}

function strike(graph: GraphBuilder, vocabularySize: number, maskId: number): string {
  const values = new Float32Array(vocabularySize);
  values[maskId] = -1e30;
  return graph.node("Add", ["raw_logits", graph.constant("strike", "float32", [vocabularySize], values)], "logits");
}
