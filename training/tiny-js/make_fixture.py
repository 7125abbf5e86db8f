"""Writes the random model that the tests of onnx-decoder and verifier-ar run, with golden numbers computed in NumPy.

    python make_fixture.py [OUT]          default ../../packages/onnx-decoder/test/fixture; needs the packages built

Besides the graphs that model-import makes (make_fixture.mjs) it writes target.per-tensor.chain.onnx, whose activations share
one scale: its rows depend on each other, so the row-exactness probe must refuse it.
"""
import json, pathlib, subprocess, sys, tempfile
import numpy as np, onnx
from onnx import TensorProto as T, helper
from export import write_drafter, write_target

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "../../packages/onnx-decoder/test/fixture")
SHAPE = {"vocabularySize": 64, "width": 32, "heads": 2, "kvHeads": 1, "headDim": 16, "hidden": 64, "ropeTheta": 10000.0, "epsilon": 1e-5}
LAYERS, POSITIONS, CONTEXT, END, MASK, TOP, MASKS = {"target": 2, "drafter": 1, "tapped": 1}, 128, 96, 0, 1, 8, 16
TAPS = (1, "output")   # what "tapped", a second drafter, reads of the target


def random_state(layers, seed, taps=0):
    r, d, f, v = np.random.default_rng(seed), SHAPE["width"], SHAPE["hidden"], SHAPE["vocabularySize"]
    qkv = (SHAPE["heads"] + 2 * SHAPE["kvHeads"]) * SHAPE["headDim"]
    draw = lambda *s: r.normal(0, s[-1] ** -0.5, s).astype(np.float32)
    gain = lambda: (1 + r.normal(0, 0.2, d)).astype(np.float32)
    state = {"embedding.weight": draw(v, d) * np.float32(d ** 0.5), "norm.weight": gain()}
    for i in range(layers):
        state |= {f"blocks.{i}.norm1.weight": gain(), f"blocks.{i}.norm2.weight": gain(), f"blocks.{i}.qkv.weight": np.float32(1.5) * draw(qkv, d),
                  f"blocks.{i}.o.weight": draw(d, SHAPE["heads"] * SHAPE["headDim"]), f"blocks.{i}.gate_up.weight": draw(2 * f, d), f"blocks.{i}.down.weight": draw(d, f)}
    if taps: state |= {"taps.join.weight": draw(d, taps * d)} | {f"taps.norms.{i}.weight": gain() for i in range(taps)}
    return state


def per_tensor(source, out):
    """One dynamic scale for all rows, the way most int8 exports do it."""
    model = onnx.load(str(source), load_external_data=False)
    nodes, made = [], lambda node: node.output[0]
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            x = node.input[0]
            nodes.append(helper.make_node("DynamicQuantizeLinear", [x], [x + ".u", x + ".S", x + ".p"]))
        elif node.op_type == "MatMulIntegerToFloat":
            x, weight, _, scale, _ = node.input
            y = made(node)
            nodes += [helper.make_node("MatMulInteger", [x, weight, x.removesuffix("u") + "p"], [y + ".q"]), helper.make_node("Cast", [y + ".q"], [y + ".f"], to=T.FLOAT),
                      helper.make_node("Mul", [y + ".f", scale], [y])]
        elif made(node) == "e.S" or not made(node).endswith(".S"): nodes.append(node)   # no scale of each row
    needed, kept = {value.name for value in model.graph.output}, []
    for node in reversed(nodes):
        if needed & set(node.output): needed |= set(node.input); kept.insert(0, node)
    initialisers = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept); model.graph.initializer.extend(initialisers)
    out.write_bytes(model.SerializeToString())


def quantised(matrix):
    scale = np.maximum(np.abs(matrix).max(1), 1e-8) / 127
    return np.rint(matrix / scale[:, None]), scale


def reference(state, layers, ids, rowwise, sees, tapped=None):
    """The same network in float64: logits, hidden rows entering each layer and the head, keys and values."""
    a = {k: v.astype(np.float64) for k, v in state.items()}
    H, KV, D, S = SHAPE["heads"], SHAPE["kvHeads"], SHAPE["headDim"], len(ids)

    def product(x, name):
        q, s = quantised(a[name + ".weight"].astype(np.float32))
        if not rowwise: return x @ (q * s[:, None]).T
        r = np.abs(x).max(1, keepdims=True) / 127
        return np.rint(x / r) @ q.T * r * s

    def norm(x, gain): return x / np.sqrt((x * x).mean(1, keepdims=True) + SHAPE["epsilon"]) * a[gain + ".weight"]

    angle = np.arange(S)[:, None] * SHAPE["ropeTheta"] ** (-np.arange(0, D, 2) / D)
    def rotate(x):
        left, right = x[..., : D // 2], x[..., D // 2:]
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        return np.concatenate([left * c - right * s, right * c + left * s], -1)

    q, s = quantised(a["embedding.weight"].astype(np.float32))
    x, taps, kv = (q * s[:, None])[ids], [], []
    if tapped is not None:
        q, s = quantised(a["taps.join.weight"].astype(np.float32))
        parts = [norm(part, f"taps.norms.{i}") for i, part in enumerate(np.split(tapped, len(TAPS), axis=1))]
        x = x + np.concatenate(parts, 1) @ (q * s[:, None]).T
    for i in range(layers):
        taps.append(x)
        y = product(norm(x, f"blocks.{i}.norm1"), f"blocks.{i}.qkv").reshape(S, H + 2 * KV, D)
        query, key, value = rotate(y[:, :H]), rotate(y[:, H:H + KV]), y[:, H + KV:]
        kv += [key, value]
        scores = np.einsum("shd,thd->hst", query, key.repeat(H // KV, 1)) / D ** 0.5 + np.where(sees, 0, -1e30)
        weight = np.exp(scores - scores.max(-1, keepdims=True)); weight /= weight.sum(-1, keepdims=True)
        x = x + product(np.einsum("hst,thd->shd", weight, value.repeat(H // KV, 1)).reshape(S, H * D), f"blocks.{i}.o")
        gate, up = np.split(product(norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.gate_up"), 2, axis=1)
        x = x + product(gate / (1 + np.exp(-gate)) * up, f"blocks.{i}.down")
    taps.append(norm(x, "norm"))
    return product(taps[-1], "embedding"), taps, kv


OUT.mkdir(parents=True, exist_ok=True)
folder = tempfile.TemporaryDirectory()
SOURCE, golden = pathlib.Path(folder.name), {}
manifest = {"format": 1, "name": "fixture", "licence": "MIT"}
ids = np.random.default_rng(5).integers(2, SHAPE["vocabularySize"], 10)
short = lambda x: [round(float(v), 5) for v in np.ravel(x)]
for part, seed in (("target", 11), ("drafter", 12), ("tapped", 13)):
    reads = TAPS if part == "tapped" else ()
    layers, state = LAYERS[part], random_state(LAYERS[part], seed, len(reads))
    entry = {**SHAPE, "positions": POSITIONS, "layers": layers, "contextLength": CONTEXT, "eosIds": [END]}
    if part == "target":
        write_target(SOURCE / part, state, SHAPE, CONTEXT, END)
        entry |= {"bosId": END, "graphs": {p: {k: f"target.{p}.{k}.onnx" for k in ("chain", "tree")} for p in ("int8", "fp32")}}
    else:
        mask = {"maskId": MASK, "top": TOP, "maxMasks": MASKS}
        write_drafter(SOURCE / f"{part}.safetensors", state, SHAPE, reads, name=part, target="fixture", **mask)
        entry |= {**mask, **({"taps": reads} if reads else {}), "graphs": {p: f"{part}.{p}.onnx" for p in ("int8", "fp32")}}
    manifest[part] = entry

    causal = np.tril(np.ones((len(ids), len(ids)), bool))
    if part != "target": causal[-4:, -4:] = True  # a block that sees itself
    fed = ids.copy()
    if part != "target": fed[-4:] = MASK
    tapped = np.sin(np.arange(len(ids) * len(reads) * SHAPE["width"])).reshape(len(ids), -1) if reads else None
    if reads: tapped[-4:] = 0
    golden[part] = {"ids": fed.tolist()}
    for precision in ("int8", "fp32"):
        logits, taps, kv = reference(state, layers, fed, precision == "int8", causal, tapped)
        if part != "target": logits[:, MASK] = -np.inf
        golden[part][precision] = {"argmax": logits.argmax(1).tolist(), "lastLogits": short(np.maximum(logits[-1], -1e30)),
                                   "lastTaps": [short(t[-1]) for t in taps], "lastKeysAndValues": short([x[-1] for x in kv]),
                                   "logSumExp": short(np.log(np.exp(logits).sum(1)))}
(OUT / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
(OUT / "golden.json").write_text(json.dumps(golden) + "\n")
subprocess.run(["node", pathlib.Path(__file__).with_suffix(".mjs"), SOURCE, OUT, str(POSITIONS)], check=True)
per_tensor(OUT / "target.int8.chain.onnx", OUT / "target.per-tensor.chain.onnx")
print({p.name: p.stat().st_size for p in sorted(OUT.iterdir())}, sum(p.stat().st_size for p in OUT.iterdir()))
