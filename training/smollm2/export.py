"""Writes a trained drafter as the safetensors file that `diffuspec import --drafter` takes.

    python export.py MODEL WORK OUT.safetensors [--drafter drafter.pt]

Matrices are int8 with a scale for every output, [in, out]; norms float32. The embedding and the LM head are the target's.
"""
import argparse, json, pathlib, struct
import numpy as np, torch
from model import MASK, TAPS, Target

DRAFT = {"lattice": {"tau": 0.9, "maxCandidates": 6}, "search": {"lambda": 0.3, "beam": 2, "cut": 0.3}, "ngram": {"cut": 0.1, "least": 0.1}}

a = argparse.ArgumentParser()
a.add_argument("model", type=pathlib.Path); a.add_argument("work", type=pathlib.Path); a.add_argument("out", type=pathlib.Path); a.add_argument("--drafter", default="drafter.pt")
a = a.parse_args()
shape = Target(a.model).shape
state = {k: v.float().numpy() if v.is_floating_point() else v.numpy() for k, v in torch.load(a.work / a.drafter, map_location="cpu")["model"].items()}
layers = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("blocks."))
tensors = {}


def linear(name, matrix):
    scale = np.maximum(np.abs(matrix).max(1), 1e-8) / 127
    tensors[name + ".q"] = np.ascontiguousarray(np.rint(matrix / scale[:, None]).astype(np.int8).T)
    tensors[name + ".s"] = scale.astype(np.float32)


for i in range(layers):
    for part in ("qkv", "o", "gate_up", "down"): linear(f"{i}.{part}", state[f"blocks.{i}.{part}.weight"])
linear("taps.join", state["join.weight"])
for i in range(layers):
    for part in ("norm1", "norm2"): tensors[f"{i}.{part}"] = state[f"blocks.{i}.{part}.weight"]
for i in range(len(TAPS)): tensors[f"taps.norm{i}"] = state[f"tap_norms.{i}.weight"]
tensors["norm"] = state["norm.weight"]
tensors["vocabulary"] = state["vocabulary"].astype(np.int32)

sizes = {k: shape[k] for k in ("width", "heads", "kvHeads", "headDim", "hidden", "vocabularySize", "epsilon", "ropeTheta")}
description = {"format": 1, "name": "diffuspec/smollm2-135m-drafter", "licence": "Apache-2.0", "target": "SmolLM2-135M-Instruct", "layers": layers, **sizes,
               "taps": TAPS, "maskId": MASK, "top": 16, "maxMasks": 16, "shift": True, "draft": DRAFT}
header, at = {"__metadata__": {"diffuspec": json.dumps(description)}}, 0
for name, value in tensors.items():
    header[name] = {"dtype": {"int8": "I8", "float32": "F32", "int32": "I32"}[str(value.dtype)], "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
    at += value.nbytes
text = json.dumps(header).encode()
text += b" " * (-(8 + len(text)) % 64)
with open(a.out, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for value in tensors.values(): file.write(value.tobytes())
print(f"{layers} layers, {len(tensors['vocabulary'])} ids, {a.out.stat().st_size / 2**20:.1f} MiB")
