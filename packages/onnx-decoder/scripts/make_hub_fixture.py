"""Writes small random models the way they lie on the hub, with golden numbers computed in NumPy (float64).

    python make_hub_fixture.py [OUT]          default ../test/hub; needs numpy and onnx
    python make_hub_fixture.py OUT --bytes    a piece for every byte, so that they can write text; fewer graphs, no numbers

OUT/target   a Llama decoder as it is published for transformers.js: config.json, tokenizer.json, onnx/model.onnx with its
             external data, model_fp16.onnx (half-precision keys, values and logits), model_q4.onnx (MatMulNBits), and
             model_quantized.onnx, whose activations share one scale per tensor, so that its rows depend on each other.
OUT/canvas   a masked diffusion model that looks at a whole canvas: ids to logits, alone, with an attention mask of ones,
             with an additive mask, and with logits one place early, as Dream has them.
"""
import json, pathlib, sys
import numpy as np
from onnx import TensorProto as T, helper, numpy_helper

BYTES = "--bytes" in sys.argv
OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "../test/hub").resolve()
MS = "com.microsoft"
WIDTH, HEADS, KV_HEADS, HEAD_DIM, HIDDEN, EPSILON, THETA, POSITIONS = 32, 4, 2, 8, 48, 1e-5, 10000.0, 160
CHARACTERS = "ĠĊabcdefghijklmnopqrstuvwxyz0123456789.,;:!?()[]{}<>=+-*/'\""
if BYTES:
    spare = iter(range(256, 512))
    CHARACTERS = [chr(b if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE else next(spare)) for b in range(256)]
VOCABULARY = MASK = 264 if BYTES else 64
CANVAS_VOCABULARY, BLOCK = VOCABULARY + 8, 4
PIECES = ["<|end|>", "<|start|>", *CHARACTERS]
PIECES += [f"<|reserved_{i}|>" for i in range(VOCABULARY - len(PIECES))]


def state(layers, vocabulary, seed):
    r = np.random.default_rng(seed)
    draw = lambda n, m, gain=1.0: (gain * r.normal(0, n ** -0.5, (n, m))).astype(np.float32)
    s = {"embedding": r.normal(0, 1, (vocabulary, WIDTH)).astype(np.float32), "norm": (1 + r.normal(0, 0.2, WIDTH)).astype(np.float32)}
    for i in range(layers):
        s |= {f"{i}.norm1": (1 + r.normal(0, 0.2, WIDTH)).astype(np.float32), f"{i}.norm2": (1 + r.normal(0, 0.2, WIDTH)).astype(np.float32),
              f"{i}.q": draw(WIDTH, HEADS * HEAD_DIM, 1.5), f"{i}.k": draw(WIDTH, KV_HEADS * HEAD_DIM, 1.5), f"{i}.v": draw(WIDTH, KV_HEADS * HEAD_DIM),
              f"{i}.o": draw(HEADS * HEAD_DIM, WIDTH), f"{i}.gate": draw(WIDTH, HIDDEN), f"{i}.up": draw(WIDTH, HIDDEN), f"{i}.down": draw(HIDDEN, WIDTH)}
    return s


ANGLE = np.arange(POSITIONS, dtype=np.float64)[:, None] * THETA ** (-np.arange(0, HEAD_DIM, 2, dtype=np.float64) / HEAD_DIM)


def reference(s, layers, ids, sees, kept=lambda x: x):
    """Logits [S, V]; `kept` rounds keys and values."""
    a, n = {k: v.astype(np.float64) for k, v in s.items()}, len(ids)
    norm = lambda x, g: x / np.sqrt((x * x).mean(1, keepdims=True) + EPSILON) * a[g]
    cos, sin = np.cos(ANGLE[:n])[:, None], np.sin(ANGLE[:n])[:, None]
    def rotate(x):
        l, r = np.split(x, 2, -1)
        return np.concatenate([l * cos - r * sin, r * cos + l * sin], -1)
    x = a["embedding"][ids]
    for i in range(layers):
        y = norm(x, f"{i}.norm1")
        q, k, v = (y @ a[f"{i}.{p}"] for p in "qkv")
        q, k, v = (z.reshape(n, -1, HEAD_DIM) for z in (q, k, v))
        k, v = (kept(z).repeat(HEADS // KV_HEADS, 1) for z in (rotate(k), v))
        w = np.einsum("shd,thd->hst", rotate(q), k) / HEAD_DIM ** 0.5 + np.where(sees, 0, -1e30)
        w = np.exp(w - w.max(-1, keepdims=True)); w /= w.sum(-1, keepdims=True)
        x = x + np.einsum("hst,thd->shd", w, v).reshape(n, -1) @ a[f"{i}.o"]
        y = norm(x, f"{i}.norm2"); g = y @ a[f"{i}.gate"]
        x = x + (g / (1 + np.exp(-g)) * (y @ a[f"{i}.up"])) @ a[f"{i}.down"]
    return norm(x, "norm") @ a["embedding"].T


class Graph:
    """fp32, fp16 (stored so, computed in float32), q8 or q4 weights; tensors of one kind share an external file where given."""

    def __init__(self, s, kind="fp32", external=None):
        self.s, self.kind, self.external = s, kind, external
        self.nodes, self.inits, self.inputs, self.outputs, self.seen = [], [], [], [], {}

    def node(self, op, inputs, out, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [out] if isinstance(out, str) else out, domain=domain, **attributes))
        return out if isinstance(out, str) else out[0]

    def const(self, name, array):
        if name not in self.seen:
            tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
            if self.external is not None and tensor.ByteSize() > 200: self.external.move(tensor)
            self.inits.append(tensor); self.seen[name] = name
        return name

    def i64(self, *values): return self.const("i" + "_".join(map(str, values)), np.array(values, np.int64))
    def input(self, name, kind, shape): self.inputs.append(helper.make_tensor_value_info(name, kind, shape)); return name
    def output(self, name, kind, shape): self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def plain(self, name):
        """A tensor that is no product's matrix, as float32."""
        if self.kind != "fp16": return self.const(name, self.s[name])
        if name + ".f" not in self.seen:
            self.seen[name + ".f"] = self.node("Cast", [self.const(name, self.s[name].astype(np.float16))], name + ".f", to=T.FLOAT)
        return name + ".f"

    def product(self, x, name, y, transposed=False):
        w = self.s[name].T if transposed else self.s[name]
        if self.kind == "q8":
            scale = np.float32(np.abs(w).max() / 127)
            q = self.const(name + ".q", np.rint(w / scale).astype(np.int8))
            if x + ".u" not in self.seen:
                self.seen[x + ".u"] = True
                self.node("DynamicQuantizeLinear", [x], [x + ".u", x + ".S", x + ".z"])
            i = self.node("Cast", [self.node("MatMulInteger", [x + ".u", q, x + ".z"], y + ".i")], y + ".f", to=T.FLOAT)
            return self.node("Mul", [i, self.node("Mul", [x + ".S", self.const(name + ".s", scale)], y + ".s")], y)
        if self.kind == "q4" and w.shape[0] % 16 == 0:
            k, n = w.shape; blocks = w.T.reshape(n, k // 16, 16)
            scale = np.abs(blocks).max(2) / 7
            q = (np.clip(np.rint(blocks / scale[..., None]), -8, 7) + 8).astype(np.uint8)
            packed = self.const(name + ".q4", q[..., ::2] | q[..., 1::2] << 4)
            return self.node("MatMulNBits", [x, packed, self.const(name + ".q4s", scale.astype(np.float32).ravel())], y, domain=MS, K=k, N=n, bits=4, block_size=16, accuracy_level=4)
        if transposed: return self.node("MatMul", [x, self.node("Transpose", [self.plain(name)], name + ".t", perm=[1, 0])], y)
        return self.node("MatMul", [x, self.plain(name)], y)

    def norm(self, x, gain, y):
        m = self.node("ReduceMean", [self.node("Pow", [x, self.const("two", np.array(2, np.float32))], y + ".p")], y + ".m", axes=[-1])
        r = self.node("Sqrt", [self.node("Add", [m, self.const("eps", np.array(EPSILON, np.float32))], y + ".e")], y + ".r")
        return self.node("Mul", [self.plain(gain), self.node("Mul", [x, self.node("Div", [self.const("one", np.array(1, np.float32)), r], y + ".v")], y + ".n")], y)

    def heads(self, x, count, y):
        return self.node("Transpose", [self.node("Reshape", [x, self.i64(0, -1, count, HEAD_DIM)], y + ".4")], y, perm=[0, 2, 1, 3])

    def rotate(self, x, y):
        half, full = HEAD_DIM // 2, HEAD_DIM
        l = self.node("Slice", [x, self.i64(0), self.i64(half), self.i64(3)], y + ".l")
        r = self.node("Slice", [x, self.i64(half), self.i64(full), self.i64(3)], y + ".r")
        turned = self.node("Concat", [self.node("Neg", [r], y + ".m"), l], y + ".c", axis=-1)
        return self.node("Add", [self.node("Mul", [x, "cos"], y + ".x"), self.node("Mul", [turned, "sin"], y + ".y")], y)

    def angles(self, positions):
        frequency = self.const("frequency", np.tile(THETA ** (-np.arange(0, HEAD_DIM, 2) / HEAD_DIM), 2).astype(np.float32))
        angle = self.node("Mul", [self.node("Unsqueeze", [self.node("Cast", [positions], "places.f", to=T.FLOAT), self.i64(1, 3)], "places.4"), frequency], "angle")
        for n, op in (("cos", "Cos"), ("sin", "Sin")): self.node(op, [angle], n)

    def shape(self, x, axis, y): return self.node("Shape", [x], y, start=axis, end=axis + 1)

    def layers(self, count, x, bias, past=None):
        for i in range(count):
            p = f"l{i}."
            n = self.norm(x, f"{i}.norm1", p + "n1")
            q = self.rotate(self.heads(self.product(n, f"{i}.q", p + "q"), HEADS, p + "qh"), p + "qr")
            k = self.rotate(self.heads(self.product(n, f"{i}.k", p + "k"), KV_HEADS, p + "kh"), p + "kr")
            v = self.heads(self.product(n, f"{i}.v", p + "v"), KV_HEADS, p + "vh")
            if past is not None: k, v = (past(i, side, z) for side, z in (("key", k), ("value", v)))
            group = HEADS // KV_HEADS
            wide = []
            for side, z in (("k", k), ("v", v)):
                z5 = self.node("Expand", [self.node("Unsqueeze", [z, self.i64(2)], p + side + "5"), self.i64(1, 1, group, 1, 1)], p + side + "e")
                wide.append(self.node("Reshape", [z5, self.i64(0, HEADS, -1, HEAD_DIM)], p + side + "w"))
            scores = self.node("MatMul", [self.node("Mul", [q, self.const("root", np.array(HEAD_DIM ** -0.5, np.float32))], p + "qs"), self.node("Transpose", [wide[0]], p + "kt", perm=[0, 1, 3, 2])], p + "s")
            if bias: scores = self.node("Add", [scores, bias], p + "sb")
            a = self.node("MatMul", [self.node("Softmax", [scores], p + "w", axis=-1), wide[1]], p + "a")
            a = self.node("Reshape", [self.node("Transpose", [a], p + "at", perm=[0, 2, 1, 3]), self.i64(0, -1, HEADS * HEAD_DIM)], p + "ar")
            x = self.node("Add", [x, self.product(a, f"{i}.o", p + "o")], p + "x1")
            n = self.norm(x, f"{i}.norm2", p + "n2")
            g = self.product(n, f"{i}.gate", p + "g")
            h = self.node("Mul", [self.node("Mul", [g, self.node("Sigmoid", [g], p + "gs")], p + "ga"), self.product(n, f"{i}.up", p + "u")], p + "h")
            x = self.node("Add", [x, self.product(h, f"{i}.down", p + "d")], p + "x2")
        return self.norm(x, "norm", "hidden")

    def save(self, path):
        graph = helper.make_graph(self.nodes, "model", self.inputs, self.outputs, self.inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)], producer_name="hub fixture")
        model.ir_version = 8
        path.write_bytes(model.SerializeToString())


class External:
    """The file beside a graph that holds its larger tensors; a tensor already there is not stored twice."""

    def __init__(self, path): self.path, self.file, self.places = path, open(path, "wb"), {}

    def move(self, tensor):
        raw = numpy_helper.to_array(tensor).tobytes()
        if raw not in self.places:
            self.file.write(b"\0" * (-self.file.tell() % 64)); self.places[raw] = self.file.tell(); self.file.write(raw)
        tensor.ClearField("raw_data"); tensor.data_location = 1
        for key, value in (("location", self.path.name), ("offset", self.places[raw]), ("length", len(raw))): tensor.external_data.add(key=key, value=str(value))


LAYERS = 2


def decoder(s, path, kind, keep, external=None):
    """The transformers.js convention; `keep`: with the input num_logits_to_keep."""
    g = Graph(s, kind, external)
    io = T.FLOAT16 if kind == "fp16" else T.FLOAT
    g.input("input_ids", T.INT64, ["batch_size", "sequence_length"])
    g.input("attention_mask", T.INT64, ["batch_size", "total_sequence_length"])
    g.input("position_ids", T.INT64, ["batch_size", "sequence_length"])
    if keep: g.input("num_logits_to_keep", T.INT64, [])
    g.output("logits", io, ["batch_size", "num_logits_to_keep" if keep else "sequence_length", VOCABULARY])
    for i in range(LAYERS):
        for side in ("key", "value"):
            g.input(f"past_key_values.{i}.{side}", io, ["batch_size", KV_HEADS, "past_sequence_length", HEAD_DIM])
            g.output(f"present.{i}.{side}", io, ["batch_size", KV_HEADS, "total_sequence_length", HEAD_DIM])
    g.angles("position_ids")
    # what a row sees: keys up to its own place in the cache, where the attention mask is not 0
    g.node("Squeeze", [g.shape("past_key_values.0.key", 2, "past.1"), g.i64(0)], "past")
    g.node("Squeeze", [g.shape("attention_mask", 1, "total.1"), g.i64(0)], "total")
    zero, one = g.const("zero64", np.array(0, np.int64)), g.const("one64", np.array(1, np.int64))
    g.node("Range", [zero, "total", one], "keys"); g.node("Range", ["past", "total", one], "queries")
    g.node("LessOrEqual", [g.node("Unsqueeze", ["keys", g.i64(0)], "keys.r"), g.node("Unsqueeze", ["queries", g.i64(1)], "queries.c")], "causal")
    g.node("And", ["causal", g.node("Unsqueeze", [g.node("Cast", ["attention_mask"], "mask.b", to=T.BOOL), g.i64(1, 2)], "mask.4")], "sees")
    g.node("Where", ["sees", g.const("seen", np.array(0, np.float32)), g.const("unseen", np.array(np.finfo(np.float32).min, np.float32))], "bias")

    def past(i, side, new):
        if io == T.FLOAT16: new = g.node("Cast", [new], f"new.{i}.{side}", to=io)
        g.node("Concat", [f"past_key_values.{i}.{side}", new], f"present.{i}.{side}", axis=2)
        return g.node("Cast", [f"present.{i}.{side}"], f"all.{i}.{side}", to=T.FLOAT) if io == T.FLOAT16 else f"present.{i}.{side}"

    x = g.layers(LAYERS, g.node("Gather", [g.plain("embedding"), "input_ids"], "embedded"), "bias", past)
    if keep:
        start = g.node("Unsqueeze", [g.node("Neg", ["num_logits_to_keep"], "from.0"), g.i64(0)], "from")
        x = g.node("Slice", [x, start, g.i64(np.iinfo(np.int64).max), g.i64(1)], "kept")
    logits = g.product(x, "embedding", "logits" if io == T.FLOAT else "logits.f", transposed=True)
    if io == T.FLOAT16: g.node("Cast", [logits], "logits", to=io)
    g.save(path)


def canvas(s, path, mask=None, shifted=False, kind="fp32", external=None):
    """mask: None, "ones" (int64 [batch, S]) or "additive" (float [1, 1, S, S])."""
    g = Graph(s, kind, external)
    io = T.FLOAT16 if kind == "fp16" else T.FLOAT
    g.input("input_ids", T.INT64, ["batch", "sequence"])
    bias = None
    if mask == "ones":
        g.input("attention_mask", T.INT64, ["batch", "sequence"])
        g.node("Mul", [g.node("Sub", [g.const("one", np.array(1, np.float32)), g.node("Cast", ["attention_mask"], "mask.f", to=T.FLOAT)], "hidden.f"), g.const("far", np.array(-1e9, np.float32))], "far.2")
        bias = g.node("Unsqueeze", ["far.2", g.i64(1, 2)], "bias")
    if mask == "additive":
        bias = g.input("attention_mask", io, ["batch", 1, "sequence", "sequence"])
        if io == T.FLOAT16: bias = g.node("Cast", [bias], "bias", to=T.FLOAT)
    g.output("logits", io, ["batch", "sequence", CANVAS_VOCABULARY])
    count = g.node("Squeeze", [g.shape("input_ids", 1, "count.1"), g.i64(0)], "count")
    g.angles(g.node("Unsqueeze", [g.node("Range", [g.const("zero64", np.array(0, np.int64)), count, g.const("one64", np.array(1, np.int64))], "places"), g.i64(0)], "places.2"))
    x = g.layers(1, g.node("Gather", [g.plain("embedding"), "input_ids"], "embedded"), bias)
    y = g.product(x, "embedding", "logits" if io == T.FLOAT and not shifted else "logits.f", transposed=True)
    if shifted:
        late = g.node("Slice", [y, g.i64(1), g.i64(np.iinfo(np.int64).max), g.i64(1)], "late")
        first = g.node("Slice", [y, g.i64(0), g.i64(1), g.i64(1)], "early")  # as a model that never learnt its last row
        y = g.node("Concat", [late, first], "logits" if io == T.FLOAT else "logits.s", axis=1)
    if io == T.FLOAT16: g.node("Cast", [y], "logits", to=io)
    g.save(path)


def tokenizer(path, extra=()):
    pieces = [*PIECES, *extra]
    special = [i for i, p in enumerate(pieces) if p.startswith("<|")]
    added = [{"id": i, "content": pieces[i], "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False} for i in special]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "vocab": {p: i for i, p in enumerate(pieces) if i not in special}, "merges": []}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    path.write_text(json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}, ensure_ascii=False) + "\n")
    (path.parent / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "bos_token": "<|start|>"}) + "\n")


rounded = lambda x: [round(float(v), 5) for v in np.ravel(x)]
target, model = OUT / "target", OUT / "canvas"
for folder in (target / "onnx", model / "onnx"): folder.mkdir(parents=True, exist_ok=True)

s = state(LAYERS, VOCABULARY, 21)
beside = External(target / "onnx/model.onnx_data")
decoder(s, target / "onnx/model.onnx", "fp32", True, beside); beside.file.close()
for suffix, kind, keep in (("_fp16", "fp16", True), ("_quantized", "q8", True), ("_q4", "q4", False))[BYTES:]: decoder(s, target / f"onnx/model{suffix}.onnx", kind, keep)
tokenizer(target / "tokenizer.json")
(target / "config.json").write_text(json.dumps({
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": HIDDEN, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
    "num_hidden_layers": LAYERS, "max_position_embeddings": POSITIONS, "vocab_size": VOCABULARY, "rms_norm_eps": EPSILON, "rope_theta": THETA, "tie_word_embeddings": True,
    "bos_token_id": 1, "eos_token_id": 0, "transformers.js_config": {"use_external_data_format": {"model.onnx": True}}}, indent=2) + "\n")
(target / "generation_config.json").write_text(json.dumps({"bos_token_id": 1, "eos_token_id": [0, VOCABULARY - 1]}) + "\n")

if BYTES:
    c = state(1, CANVAS_VOCABULARY, 22)
    beside = External(model / "onnx/model.onnx_data")
    for name, mask, shifted in (("model", None, False), ("model_additive", "additive", False), ("model_shifted", None, True)):
        canvas(c, model / f"onnx/{name}.onnx", mask, shifted, "fp32", beside)
    beside.file.close()
    tokenizer(model / "tokenizer.json", ["<|mask|>", "<|extra|>"])
    sys.exit()

prompt = np.random.default_rng(6).integers(2, 58, 12).tolist()
causal = lambda n: np.tril(np.ones((n, n), bool))
half = lambda x: x.astype(np.float16).astype(np.float64)
logits = reference(s, LAYERS, prompt, causal(len(prompt)))
text, margins = list(prompt), []
for _ in range(40):
    row = reference(s, LAYERS, text, causal(len(text)))[-1]
    best = np.sort(row); margins.append(best[-1] - best[-2]); text.append(int(row.argmax()))
s16 = {k: v.astype(np.float16).astype(np.float32) for k, v in s.items()}
golden = {"target": {"ids": prompt, "argmax": logits.argmax(1).tolist(), "lastLogits": rounded(logits[-1]), "greedy": text[len(prompt):], "leastMargin": round(float(min(margins)), 5),
                     "fp16": {"lastLogits": rounded(reference(s16, LAYERS, prompt, causal(len(prompt)), half)[-1])}}}

c = state(1, CANVAS_VOCABULARY, 22)
beside = External(model / "onnx/model.onnx_data")
for name, mask, shifted in (("model", None, False), ("model_ones", "ones", False), ("model_additive", "additive", False), ("model_shifted", None, True)):
    canvas(c, model / f"onnx/{name}.onnx", mask, shifted, "fp32", beside)
beside.file.close()
canvas(c, model / "onnx/model_additive_fp16.onnx", "additive", False, "fp16")
tokenizer(model / "tokenizer.json", ["<|mask|>", "<|extra|>"])
ids = prompt[:9] + [MASK] * 5
n = len(ids)
block = (np.arange(n) - n) // BLOCK  # counted from the end
golden["canvas"] = {"ids": ids, "blockSize": BLOCK, "full": rounded(reference(c, 1, ids, np.ones((n, n), bool))[-2]), "block": rounded(reference(c, 1, ids, block[None, :] <= block[:, None])[-6])}
(OUT / "golden.json").write_text(json.dumps(golden) + "\n")
sizes = {str(p.relative_to(OUT)): p.stat().st_size for p in sorted(OUT.rglob("*")) if p.is_file()}
print(sizes, sum(sizes.values()), "least margin", min(margins))
