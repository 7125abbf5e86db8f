"""Writes a trained drafter as the safetensors file that `diffuspec import --drafter` takes.

    python export.py MODEL WORK OUT.safetensors [--drafter drafter.pt]

One that was trained with --alone is written without taps. Matrices are int8 with a scale for every output, [in, out]; norms float32. The embedding and the LM head are the target's.
"""
import argparse, pathlib, sys
import numpy as np, torch
from model import MASK, TAPS, Target
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from tensor_file import drafter_tensors, layers_of, write

DRAFT = {"lattice": {"tau": 0.9, "maxCandidates": 6}, "search": {"lambda": 0.3, "beam": 2, "cut": 0.1, "pooled": {"positions": 2, "cut": 0.1}},
         "ngram": {"cut": 0.1, "least": 0.05, "recent": {"longest": 16, "discount": [0.3, 0.5, 0.6, 0.7, 0.75, 0.8], "strength": 1.6}},
         "lengthController": {"confidence": {"delta": 16, "kMin": 8, "kMax": 48}}}

a = argparse.ArgumentParser()
a.add_argument("model", type=pathlib.Path); a.add_argument("work", type=pathlib.Path); a.add_argument("out", type=pathlib.Path); a.add_argument("--drafter", default="drafter.pt"); a.add_argument("--window", type=int, default=64, help="ids of a prompt that it reads")
a = a.parse_args()
shape = Target(a.model).shape
state = {k: v.float().numpy() if v.is_floating_point() else v.numpy() for k, v in torch.load(a.work / a.drafter, map_location="cpu")["model"].items()}
layers, taps = layers_of(state), TAPS if "join.weight" in state else ()
tensors = drafter_tensors(state, layers, len(taps), join="join.weight", tap_norm="tap_norms.{}.weight") | {"vocabulary": state["vocabulary"].astype(np.int32)}

sizes = {k: shape[k] for k in ("width", "heads", "kvHeads", "headDim", "hidden", "vocabularySize", "epsilon", "ropeTheta")}
description = {"format": 1, "name": "diffuspec/smollm2-135m-" + ("drafter" if taps else "stand-alone"), "licence": "Apache-2.0", "target": "SmolLM2-135M-Instruct", "layers": layers, **sizes,
               "taps": taps, "maskId": MASK, "top": 16, "maxMasks": 16, "shift": True, "promptWindow": a.window, "draft": DRAFT}
write(a.out, tensors, description)
print(f"{layers} layers, {len(tensors['vocabulary'])} ids, {a.out.stat().st_size / 2**20:.1f} MiB")
