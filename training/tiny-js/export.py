"""Writes a trained pair as what import.mjs takes: the target as a Hugging Face folder, the drafter as one file.

    python export.py WORK [--target target.pt] [--drafter drafter.pt]      makes WORK/target and WORK/drafter.safetensors
"""
import argparse, json, pathlib, shutil, sys
import numpy as np, torch
from model import TAPS, EPSILON, HEAD_DIM, HEADS, HIDDEN, KV_HEADS, ROPE_THETA, VOCABULARY, WIDTH
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from tensor_file import drafter_tensors, embedding_tensors, layers_of, write

CONTEXT, TOP, MASK, END, MASKS = 512, 16, 1, 0, 32
DRAFT = {"lattice": {"tau": 0.9, "maxCandidates": 6}, "search": {"lambda": 0.4, "beam": 1, "cut": 0.01, "pooled": {"positions": 4, "cut": 0.1}}, "ngram": {"cut": 0.15, "least": 0.05}}


def arrays(file): return {k: v.float().numpy() for k, v in torch.load(file, map_location="cpu")["model"].items()}


def llama(state, heads, kv_heads, head_dim):
    """The names of transformers' Llama: fused matrices apart, the LM head tied."""
    tensors = {"model.embed_tokens.weight": state["embedding.weight"], "model.norm.weight": state["norm.weight"]}
    for i in range(layers_of(state)):
        block, layer = f"blocks.{i}.", f"model.layers.{i}."
        parts = np.split(state[block + "qkv.weight"], [heads * head_dim, (heads + kv_heads) * head_dim])
        for name, part in zip("qkv", parts): tensors[f"{layer}self_attn.{name}_proj.weight"] = part
        tensors[layer + "self_attn.o_proj.weight"] = state[block + "o.weight"]
        for name, part in zip(("gate", "up"), np.split(state[block + "gate_up.weight"], 2)): tensors[f"{layer}mlp.{name}_proj.weight"] = part
        tensors[layer + "mlp.down_proj.weight"] = state[block + "down.weight"]
        tensors[layer + "input_layernorm.weight"] = state[block + "norm1.weight"]
        tensors[layer + "post_attention_layernorm.weight"] = state[block + "norm2.weight"]
    return tensors


def write_target(folder, state, shape, context, end):
    """shape: the sizes, by their names in a manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "model.safetensors", llama(state, shape["heads"], shape["kvHeads"], shape["headDim"]))
    (folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "num_hidden_layers": layers_of(state), "hidden_size": shape["width"], "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kvHeads"], "head_dim": shape["headDim"], "intermediate_size": shape["hidden"], "vocab_size": shape["vocabularySize"],
        "rms_norm_eps": shape["epsilon"], "rope_theta": shape["ropeTheta"], "max_position_embeddings": context, "eos_token_id": end}) + "\n")


def write_drafter(path, state, shape, taps, **description):
    layers = layers_of(state)
    write(path, embedding_tensors(state) | drafter_tensors(state, layers, len(taps)), {"format": 1, "licence": "MIT", "layers": layers, **shape, "taps": taps, **description})


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("work", type=pathlib.Path); a.add_argument("--target", default="target.pt"); a.add_argument("--drafter", default="drafter.pt")
    a = a.parse_args()
    shape = {"vocabularySize": VOCABULARY, "width": WIDTH, "heads": HEADS, "kvHeads": KV_HEADS, "headDim": HEAD_DIM, "hidden": HIDDEN, "ropeTheta": ROPE_THETA, "epsilon": EPSILON}
    write_target(a.work / "target", arrays(a.work / a.target), shape, CONTEXT, END)
    shutil.copy(a.work / "tokenizer.json", a.work / "target")
    (a.work / "target" / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<|end|>", "add_bos_token": True}) + "\n")
    state = arrays(a.work / a.drafter)
    write_drafter(a.work / "drafter.safetensors", state, shape, TAPS if "taps.join.weight" in state else (), name="diffuspec/tiny-js-drafter", target="tiny-js",
                  maskId=MASK, top=TOP, maxMasks=MASKS, shift=True, draft=DRAFT)
