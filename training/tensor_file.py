"""safetensors files, and the form in which a drafter is published: int8 matrices with a scale for every output."""
import json, pathlib, struct
import numpy as np

KINDS = {"int8": "I8", "float32": "F32", "int32": "I32"}


def int8(matrix):
    """[out, in] -> int8 [out, in], float32 [out]."""
    scale = np.maximum(np.abs(matrix).max(1), 1e-8) / 127
    return np.rint(matrix / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def layers_of(state): return 1 + max(int(k.split(".")[1]) for k in state if k.startswith("blocks."))


def drafter_tensors(state, layers, taps, join="taps.join.weight", tap_norm="taps.norms.{}.weight"):
    """Layers, norms and the input for `taps` hidden rows, as `diffuspec import --drafter` reads them. state: arrays by the names of a recipe's model.py."""
    tensors = {}

    def linear(name, matrix):
        q, scale = int8(matrix)
        tensors.update({name + ".q": q.T, name + ".s": scale})

    for i in range(layers):
        for part in ("qkv", "o", "gate_up", "down"): linear(f"{i}.{part}", state[f"blocks.{i}.{part}.weight"])
    if taps: linear("taps.join", state[join])
    for i in range(layers):
        for part in ("norm1", "norm2"): tensors[f"{i}.{part}"] = state[f"blocks.{i}.{part}.weight"]
    for i in range(taps): tensors[f"taps.norm{i}"] = state[tap_norm.format(i)]
    return tensors | {"norm": state["norm.weight"]}


def embedding_tensors(state):
    """The embedding of a drafter that does not share its target's."""
    q, scale = int8(state["embedding.weight"])
    return {"embedding.q": q, "embedding.s": scale}


def write(path: pathlib.Path, tensors, description=None):
    """description: JSON under "diffuspec" in the metadata."""
    header, at = {} if description is None else {"__metadata__": {"diffuspec": json.dumps(description)}}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": KINDS[str(value.dtype)], "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values(): file.write(np.ascontiguousarray(value).tobytes())
