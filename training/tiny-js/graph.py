"""Writes a decoder checkpoint as ONNX graphs over one external weight file.

Weights are stored once, int8 per output channel, with fp32 scales. The int8 graphs multiply in int8 with one
dynamic activation scale per row; the fp32 graphs dequantise the same weights at load, so both are one checkpoint.

Inputs                                     Outputs
  input_ids int32 [1, S]                     argmax int32 [R], logits f32 [R, V]
  past_length int64 [1]                      new_kv f32 [2 * layers, kvHeads, S, headDim]  (key, value per layer)
  rows int32 [R]   rows the LM head sees     tap_output f32 [1, S, d], tap_N f32 [1, S, d]  (target)
  past_N_key, past_N_value f32 [1, kvHeads, P, headDim]; only the first past_length rows are read
  drafter: taps f32 [1, S, count * d], the target's hidden rows (model.TapInput), where it reads them
  tree, drafter: attention_bias f32 [1, 1, S, past_length + S], additive; tree: position_ids int64 [1, S]
The drafter's graph is not causal: its attention_bias decides. It gives top_ids int32 [R, M], top_logits f32 [R, M]
and log_sum_exp f32 [R] of the logits with the mask id struck.
"""
import numpy as np
from onnx import TensorProto as T, helper, numpy_helper

MS = "com.microsoft"


class Weights:
    """One file of raw tensors, each at a multiple of 64 bytes."""

    def __init__(self, path):
        self.name, self.file, self.tensors = path.name, open(path, "wb"), {}

    def add(self, name, array):
        if name in self.tensors: return
        array = np.ascontiguousarray(array)
        self.file.write(b"\0" * (-self.file.tell() % 64))
        offset = self.file.tell()
        self.file.write(array.tobytes())
        tensor = T_of(name, array)
        tensor.data_location = 1
        for key, value in (("location", self.name), ("offset", offset), ("length", array.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        self.tensors[name] = tensor

    def linear(self, name, matrix):
        """matrix [out, in] -> name.q int8 [in, out], name.s f32 [out]."""
        scale = np.maximum(np.abs(matrix).max(1), 1e-8) / 127
        self.add(name + ".q", np.rint(matrix / scale[:, None]).astype(np.int8).T)
        self.add(name + ".s", scale.astype(np.float32))

    def embedding(self, matrix):
        scale = np.maximum(np.abs(matrix).max(1), 1e-8) / 127
        self.add("embedding.q", np.rint(matrix / scale[:, None]).astype(np.int8))
        self.add("embedding.s", scale.astype(np.float32))


def T_of(name, array):
    from onnx import TensorProto
    tensor = TensorProto()
    tensor.name, tensor.data_type = name, helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor.dims.extend(array.shape)
    return tensor


def store(weights, state, layers):
    """Puts every tensor of a checkpoint (names of model.py) into the weight file."""
    a = {k: v.float().cpu().numpy() for k, v in state.items()}
    weights.embedding(a["embedding.weight"])
    weights.add("norm", a["norm.weight"])
    for i in range(layers):
        for part in ("qkv", "o", "gate_up", "down"): weights.linear(f"{i}.{part}", a[f"blocks.{i}.{part}.weight"])
        for part in ("norm1", "norm2"): weights.add(f"{i}.{part}", a[f"blocks.{i}.{part}.weight"])
    if "taps.join.weight" in a:
        weights.linear("taps.join", a["taps.join.weight"])
        for i in range(sum(name.startswith("taps.norms") for name in a)): weights.add(f"taps.norm{i}", a[f"taps.norms.{i}.weight"])


class Graph:
    def __init__(self, weights, shape, precision):
        self.weights, self.shape, self.precision = weights, shape, precision
        self.nodes, self.initialisers, self.inputs, self.outputs, self.used = [], [], [], [], set()

    def node(self, op, inputs, outputs, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(op, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def const(self, name, array):
        if name not in self.used:
            self.used.add(name)
            self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name):
        if name not in self.used:
            self.used.add(name)
            self.initialisers.append(self.weights.tensors[name])
        return name

    def input(self, name, kind, shape): self.inputs.append(helper.make_tensor_value_info(name, kind, shape)); return name

    def output(self, name, kind, shape): self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def i64(self, name, *values): return self.const(name, np.array(values, np.int64))

    # ---- one quantised product: x [1, rows, in] -> y [1, rows, out]
    def zero_points(self, like):
        """uint8 [rows] of 128, one tensor for all products over the same rows; `like` is an input with a column a row."""
        name = "zp_" + like
        if name not in self.used:
            self.used.add(name)
            flat = self.node("Reshape", [like, self.i64("flat", -1)], name + ".flat")
            self.node("Expand", [self.const("zp1", np.array([128], np.uint8)), self.node("Shape", [flat], name + ".n")], name)
        return name

    def quantise(self, x, like):
        """Row-wise dynamic: scale = max|row| / 127, zero point 128; rows never see each other."""
        if x + ".u" in self.used: return
        self.used.add(x + ".u")
        self.node("Abs", [x], x + ".a")
        self.node("ReduceMax", [x + ".a"], x + ".m", axes=[0, 2], keepdims=0)
        self.node("Mul", [x + ".m", self.const("inv127", np.array(1 / 127, np.float32))], x + ".r")
        self.node("QuantizeLinear", [x, x + ".r", self.zero_points(like)], x + ".u", axis=1)
        self.node("Unsqueeze", [x + ".r", self.i64("last", -1)], x + ".S")

    def product(self, x, name, y, transposed=False, like="input_ids", full_precision=False):
        q, s = self.weight(name + ".q"), self.weight(name + ".s")
        if self.precision == "fp32" or full_precision:
            full = self.node("Cast", [q], name + ".f", to=T.FLOAT)
            if transposed:
                full = self.node("Transpose", [self.node("Mul", [full, self.node("Unsqueeze", [s, self.i64("last", -1)], name + ".c")], name + ".g")], name + ".w", perm=[1, 0])
            else: full = self.node("Mul", [full, s], name + ".w")
            return self.node("MatMul", [x, full], y)
        if transposed: q = self.node("Transpose", [q], name + ".t", perm=[1, 0])
        self.quantise(x, like)
        one, zp = self.const("one", np.array(1, np.float32)), self.const("zp", np.array(128, np.uint8))
        self.node("MatMulIntegerToFloat", [x + ".u", q, one, s, zp], y + ".i", domain=MS)
        return self.node("Mul", [y + ".i", x + ".S"], y)

    def read_taps(self, embedded, count):
        """Adds what the target thought of each id (model.TapInput). In fp32: the rows of masks are all zero, and have no scale."""
        sh, normed = self.shape, []
        self.input("taps", T.FLOAT, [1, "S", count * sh["width"]])
        parts = [f"tapped_{i}" for i in range(count)]
        self.node("Split", ["taps", self.i64("tap_widths", *[sh["width"]] * count)], parts, axis=-1)
        for i, part in enumerate(parts):
            normed.append(self.node("SimplifiedLayerNormalization", [part, self.weight(f"taps.norm{i}")], part + ".n", epsilon=sh["epsilon"], axis=-1))
        joined = self.product(self.node("Concat", normed, "tapped", axis=-1), "taps.join", "tapped.join", full_precision=True)
        return self.node("Add", [embedded, joined], "tap_0")

    def decoder(self, layers, bias, positions, taps, reads=0):
        """taps: the hidden rows are outputs; reads: how many of another model's hidden rows are an input."""
        sh = self.shape
        H, KV, D, F = sh["heads"], sh["kvHeads"], sh["headDim"], sh["hidden"]
        self.input("input_ids", T.INT32, [1, "S"]); self.input("past_length", T.INT64, [1]); self.input("rows", T.INT32, ["R"])
        if bias: self.input("attention_bias", T.FLOAT, [1, 1, "S", "T"])
        if positions: self.input("position_ids", T.INT64, [1, "S"])
        self.node("Shape", ["input_ids"], "count", start=1, end=2)
        self.node("Add", ["past_length", "count"], "total")
        self.node("Cast", [self.node("Sub", ["total", self.i64("one64", 1)], "total_1")], "seqlens", to=T.INT32)
        self.node("Cast", [self.node("Squeeze", ["total", self.i64("axis0", 0)], "total_0")], "total_len", to=T.INT32)
        angle = np.arange(sh["positions"], dtype=np.float64)[:, None] * sh["ropeTheta"] ** (-np.arange(0, D, 2, dtype=np.float64) / D)
        cos, sin = (self.const(n, f(angle).astype(np.float32)) for n, f in (("cos", np.cos), ("sin", np.sin)))

        e = self.node("Cast", [self.node("Gather", [self.weight("embedding.q"), "input_ids"], "e.q")], "e.f", to=T.FLOAT)
        es = self.node("Unsqueeze", [self.node("Gather", [self.weight("embedding.s"), "input_ids"], "e.s"), self.i64("last", -1)], "e.S")
        x = self.node("Mul", [e, es], "embedded" if reads else "tap_0")
        if reads: x = self.read_taps(x, reads)
        self.node("SimplifiedLayerNormalization", [x, self.weight("0.norm1")], "n0", epsilon=sh["epsilon"], axis=-1)
        n, fresh = "n0", []
        for i in range(layers):
            p = f"l{i}."
            if taps: self.output(x, T.FLOAT, [1, "S", sh["width"]])
            for side in ("key", "value"): self.input(f"past_{i}_{side}", T.FLOAT, [1, KV, "P", D])
            self.product(n, f"{i}.qkv", p + "qkv")
            inputs = [p + "qkv", "", "", f"past_{i}_key", f"past_{i}_value", "seqlens", "total_len", cos, sin]
            if bias or positions: inputs += ["position_ids" if positions else "", "attention_bias" if bias else ""]
            extra = {} if bias != "open" else {"causal": 0}
            self.node("GroupQueryAttention", inputs, [p + "a", p + "pk", p + "pv"], domain=MS, num_heads=H, kv_num_heads=KV, do_rotary=1, **extra)
            for side in "kv": fresh.append(self.node("Slice", [p + "p" + side, "past_length", "total", self.i64("axis2", 2)], p + "n" + side))
            self.product(p + "a", f"{i}.o", p + "o")
            self.node("SkipSimplifiedLayerNormalization", [x, p + "o", self.weight(f"{i}.norm2")], [p + "n2", "", "", p + "x1"], domain=MS, epsilon=sh["epsilon"])
            self.product(p + "n2", f"{i}.gate_up", p + "gu")
            self.node("Split", [p + "gu", self.i64("halves", F, F)], [p + "g", p + "u"], axis=-1)
            self.node("Mul", [self.node("QuickGelu", [p + "g"], p + "s", domain=MS, alpha=1.0), p + "u"], p + "h")
            self.product(p + "h", f"{i}.down", p + "d")
            x = f"tap_{i + 1}"
            n = "tap_output" if i == layers - 1 else f"n{i + 1}"
            self.node("SkipSimplifiedLayerNormalization", [p + "x1", p + "d", self.weight("norm" if i == layers - 1 else f"{i + 1}.norm1")], [n, "", "", x], domain=MS, epsilon=sh["epsilon"])
        self.output("new_kv", T.FLOAT, [2 * layers, KV, "S", D])
        self.node("Concat", fresh, "new_kv", axis=0)
        self.node("Gather", ["tap_output", "rows"], "looked_at", axis=1)
        self.product("looked_at", "embedding", "logits3", transposed=True, like="rows")
        self.node("Squeeze", ["logits3", self.i64("axis0", 0)], "raw_logits")
        if taps: self.output("tap_output", T.FLOAT, [1, "S", sh["width"]])

    def target_head(self):
        self.node("Identity", ["raw_logits"], "logits")
        self.node("Cast", [self.node("ArgMax", ["raw_logits"], "best", axis=-1, keepdims=0)], "argmax", to=T.INT32)
        self.output("logits", T.FLOAT, ["R", self.shape["vocabularySize"]]); self.output("argmax", T.INT32, ["R"])

    def drafter_head(self, mask_id, top):
        V = self.shape["vocabularySize"]
        strike = np.zeros(V, np.float32); strike[mask_id] = -1e30
        self.node("Add", ["raw_logits", self.const("strike", strike)], "logits")
        self.node("TopK", ["logits", self.i64("top", top)], ["top_logits", "top64"], axis=-1)
        self.node("Cast", ["top64"], "top_ids", to=T.INT32)
        # ln sum exp from the best entry: its logit less its log-softmax, whose kernel is vectorised as ReduceLogSumExp's is not
        self.node("ReduceMax", [self.node("LogSoftmax", ["logits"], "log_q", axis=-1)], "best_log_q", axes=[-1], keepdims=0)
        self.node("Sub", [self.node("ReduceMax", ["logits"], "best_logit", axes=[-1], keepdims=0), "best_log_q"], "log_sum_exp")
        for name, kind, shape in (("top_ids", T.INT32, ["R", top]), ("top_logits", T.FLOAT, ["R", top]), ("log_sum_exp", T.FLOAT, ["R"]), ("logits", T.FLOAT, ["R", V])):
            self.output(name, kind, shape)

    def save(self, path):
        graph = helper.make_graph(self.nodes, path.stem, self.inputs, self.outputs, self.initialisers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)], producer_name="diffuspec tiny-js recipe")
        model.ir_version = 8
        path.write_bytes(model.SerializeToString())
