"""Exports a trained pair as a model directory.

    python export.py WORK OUT [--target target.pt] [--drafter drafter.pt] [--ngram ngram.bin] [--name diffuspec/tiny-js]
"""
import argparse, hashlib, json, pathlib, shutil
import torch
from graph import Graph, Weights, store
from model import TAPS, EPSILON, HEAD_DIM, HEADS, HIDDEN, KV_HEADS, ROPE_THETA, VOCABULARY, WIDTH

CONTEXT, POSITIONS, TOP, MASK, END = 512, 640, 16, 1, 0

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("out", type=pathlib.Path)
a.add_argument("--target", default="target.pt"); a.add_argument("--drafter", default="drafter.pt")
a.add_argument("--drafter-layers", type=int); a.add_argument("--ngram", default="ngram.bin"); a.add_argument("--name", default="diffuspec/tiny-js")
a = a.parse_args()
a.out.mkdir(parents=True, exist_ok=True)
shape = {"vocabularySize": VOCABULARY, "width": WIDTH, "heads": HEADS, "kvHeads": KV_HEADS, "headDim": HEAD_DIM, "hidden": HIDDEN,
         "ropeTheta": ROPE_THETA, "epsilon": EPSILON, "positions": POSITIONS}


def load(name):
    state = torch.load(a.work / name, map_location="cpu")["model"]
    return state, 1 + max(int(k.split(".")[1]) for k in state if k.startswith("blocks."))


def count(state): return sum(v.numel() for v in state.values())


def write(weights, layers, precision, file, bias, positions, head, taps, reads=0):
    graph = Graph(weights, shape, precision)
    graph.decoder(layers, bias, positions, taps, reads)
    head(graph)
    graph.save(a.out / file)
    return file


manifest = {"format": 1, "name": a.name, "licence": "MIT", "tokenizer": "tokenizer.json", "threads": 1,
            "draft": {"lattice": {"tau": 0.9, "maxCandidates": 6}, "search": {"lambda": 0.4, "beam": 2, "cut": 0.01}, "ngram": {"cut": 0.1, "least": 0.8}},
            "generation": {"dryMultiplier": 0.8, "dryBase": 1.75, "dryAllowedLength": 10}}
state, layers = load(a.target)
weights = Weights(a.out / "target.bin"); store(weights, state, layers)
manifest["target"] = {**shape, "layers": layers, "parameters": count(state), "contextLength": CONTEXT, "eosIds": [END], "bosId": END, "graphs": {
    precision: {kind: write(weights, layers, precision, f"target.{precision}.{kind}.onnx", kind == "tree" and "causal", kind == "tree", Graph.target_head, True)
                for kind in ("chain", "tree")} for precision in ("int8", "fp32")}}
weights.file.close()
state, layers = load(a.drafter)
if a.drafter_layers: layers = a.drafter_layers
reads = TAPS if "taps.join.weight" in state else ()
weights = Weights(a.out / "drafter.bin"); store(weights, state, layers)
manifest["drafter"] = {**shape, "layers": layers, "parameters": count(state), "contextLength": CONTEXT, "maskId": MASK, "eosIds": [END], "top": TOP, "maxMasks": 32, **({"taps": reads} if reads else {}), "graphs": {
    precision: write(weights, layers, precision, f"drafter.{precision}.onnx", "open", False, lambda g: g.drafter_head(MASK, TOP), False, len(reads)) for precision in ("int8", "fp32")}}
weights.file.close()
shutil.copy(a.work / "tokenizer.json", a.out)
if (a.work / a.ngram).exists():
    shutil.copy(a.work / a.ngram, a.out / "ngram.bin"); manifest["ngram"] = "ngram.bin"
files = sorted(p for p in a.out.iterdir() if p.name not in ("manifest.json", "LICENSE") and p.suffix != ".md")
manifest["files"] = {p.name: {"bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for p in files}
(a.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
print({k: v["bytes"] for k, v in manifest["files"].items()}, sum(v["bytes"] for v in manifest["files"].values()) / 2**20, "MiB")
