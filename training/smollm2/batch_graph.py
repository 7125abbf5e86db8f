"""The imported int8 target as a graph for many sequences at once: same weights, same arithmetic, so the text it writes
is the text that the library's target writes.

Rows of all sequences lie in one row of products; only attention sees them apart. One weight file serves both graphs.

Inputs                                         Outputs
  input_ids int32 [1, B * S]                     best int32 [R], logits f32 [R, V]
  sizes int64 [3]    B, S, values of a qkv row   tap_N, tap_output f32 [1, B * S, d]
  seqlens int32 [B]  ids of a sequence less 1    present_N_key, present_N_value, in place of the past
  total_len int32    the longest sequence's
  rows int32 [R]     rows the LM head sees
  past_N_key, past_N_value f32 [B, kvHeads, capacity, headDim]
"""
import pathlib
import onnx
from onnx import TensorProto as T, helper


def batch_graph(source: pathlib.Path, taps, layers) -> pathlib.Path:
    """Writes SOURCE's batched form beside it."""
    model = onnx.load(str(source), load_external_data=False)
    graph = model.graph
    gone = {"count", "total", "total_1", "seqlens", "total_0", "total_len", "new_kv", "best", "argmax", "logits"} | {f"l{i}.n{s}" for i in range(layers) for s in "kv"}
    nodes = []
    for node in graph.node:
        if node.output[0] in gone: continue
        if node.op_type != "GroupQueryAttention":
            nodes.append(node)
            continue
        apart, together = f"{node.input[0]}.apart", f"{node.output[0]}.apart"
        nodes.append(helper.make_node("Reshape", [node.input[0], "sizes"], [apart]))
        final = node.output[0]
        node.input[0], node.output[0] = apart, together
        layer = final[1:].split(".")[0]
        node.output[1], node.output[2] = f"present_{layer}_key", f"present_{layer}_value"
        nodes += [node, helper.make_node("Reshape", [together, "flat_rows"], [final])]
    nodes.append(helper.make_node("Identity", ["raw_logits"], ["logits"]))
    nodes.append(helper.make_node("ArgMax", ["raw_logits"], ["best64"], axis=-1, keepdims=0))
    nodes.append(helper.make_node("Cast", ["best64"], ["best"], to=T.INT32))
    head = next(v for v in graph.input if v.name == "past_0_key").type.tensor_type.shape.dim
    heads, dim = head[1].dim_value, head[3].dim_value
    d = next(v for v in graph.output if v.name == "tap_0").type.tensor_type.shape.dim[2].dim_value
    vocabulary = next(v for v in graph.output if v.name == "logits").type.tensor_type.shape.dim[1].dim_value
    info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    inputs = [info("input_ids", T.INT32, [1, "N"]), info("sizes", T.INT64, [3]), info("seqlens", T.INT32, ["B"]), info("total_len", T.INT32, []), info("rows", T.INT32, ["R"])]
    outputs = [info("best", T.INT32, ["R"]), info("logits", T.FLOAT, ["R", vocabulary])]
    outputs += [info(f"tap_{t}", T.FLOAT, [1, "N", d]) for t in taps]
    for i in range(layers):
        for side in ("key", "value"):
            inputs.append(info(f"past_{i}_{side}", T.FLOAT, ["B", heads, "C", dim]))
            outputs.append(info(f"present_{i}_{side}", T.FLOAT, ["B", heads, "C", dim]))
    constants = [helper.make_tensor("flat_rows", T.INT64, [3], [1, -1, d])]
    out = source.with_name(source.stem + ".batch.onnx")
    made = helper.make_model(helper.make_graph(nodes, "batch", inputs, outputs, [*graph.initializer, *constants]), opset_imports=list(model.opset_import))
    made.ir_version = model.ir_version
    out.write_bytes(made.SerializeToString())
    return out
