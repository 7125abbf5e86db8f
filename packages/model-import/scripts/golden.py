"""Writes test/golden: small random models of each family with PyTorch's logits, as safetensors and as GGUF, and the
blocks of every GGUF format with the values that the reference library gives them.

    python golden.py            needs torch, transformers (4.46), safetensors, gguf

transformers 4.46 is the last for PyTorch 1.13 and has no Qwen3; its attention is Qwen2's with a norm on every query and
key head and no biases, which is how it is written here.
"""
import json, pathlib, shutil
import gguf, numpy as np, torch
from gguf import GGMLQuantizationType as Q, quants
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

OUT = pathlib.Path(__file__).parent / "../test/golden"
for old in OUT.glob("*"):
    if old.name not in ("tokenizers.json", "smollm2-ids.json"): shutil.rmtree(old) if old.is_dir() else old.unlink()
OUT.mkdir(parents=True, exist_ok=True)
IDS = [3, 17, 42, 9, 60, 1, 28, 33, 5, 11, 50, 2, 19, 44]
SMALL = dict(vocab_size=64, max_position_embeddings=64, initializer_range=0.3, torch_dtype="float32", attn_implementation="eager")


class HeadNorms(modeling_qwen2.Qwen2Attention):
    """Qwen3's: queries and keys are normed head by head before they are rotated."""

    def __init__(self, config, layer_idx=None):
        super().__init__(config, layer_idx)
        self.q_norm = modeling_qwen2.Qwen2RMSNorm(self.head_dim, eps=config.rms_norm_eps)
        self.k_norm = modeling_qwen2.Qwen2RMSNorm(self.head_dim, eps=config.rms_norm_eps)
        bare = lambda linear: torch.nn.Linear(linear.in_features, linear.out_features, bias=False)
        q, k = bare(self.q_proj), bare(self.k_proj)
        self.q_proj, self.k_proj, self.v_proj = Normed(q, self.q_norm), Normed(k, self.k_norm), bare(self.v_proj)


class Normed(torch.nn.Module):
    def __init__(self, linear, norm):
        super().__init__()
        self.linear, self.norm = linear, [norm]

    def forward(self, x):
        y, size = self.linear(x), self.norm[0].weight.numel()
        return self.norm[0](y.unflatten(-1, (-1, size))).flatten(-2)


def randomised(model):
    """Norms and biases start as ones and zeros, which would hide a mistake."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name: p.normal_(1, 0.2)
            if name.endswith("bias"): p.normal_(0, 0.3)
    return model.eval()


def build(name):
    torch.manual_seed(sum(name.encode()))
    if name.startswith("llama"):
        scaled = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
        own = {"llama-tied": dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True, rope_theta=100000.0),
               "llama-scaled": dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=16, attention_bias=True, mlp_bias=True, rope_theta=500.0, rope_scaling=scaled)}[name]
        return randomised(LlamaForCausalLM(LlamaConfig(**SMALL, **own, eos_token_id=[2, 7], bos_token_id=1)))
    heads = 3 if name == "qwen3" else 2
    own = dict(hidden_size=16 * heads, intermediate_size=96, num_hidden_layers=2, num_attention_heads=heads, num_key_value_heads=1, rope_theta=1000000.0, tie_word_embeddings=name == "qwen3", eos_token_id=2, use_sliding_window=False)
    if name == "qwen2": return randomised(Qwen2ForCausalLM(Qwen2Config(**SMALL, **own)))
    before, modeling_qwen2.QWEN2_ATTENTION_CLASSES["eager"] = modeling_qwen2.QWEN2_ATTENTION_CLASSES["eager"], HeadNorms
    model = randomised(Qwen2ForCausalLM(Qwen2Config(**SMALL, **own)))
    modeling_qwen2.QWEN2_ATTENTION_CLASSES["eager"] = before
    return model


def state_of(model, name):
    state = {k.replace(".linear.", "."): v.contiguous() for k, v in model.state_dict().items()}
    if model.config.tie_word_embeddings: del state["lm_head.weight"]
    return state


def config_of(model, name):
    c = model.config
    out = {"model_type": name.split("-")[0]} | {k: getattr(c, k) for k in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
          "max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings", "hidden_act", "eos_token_id")}
    if name.startswith("llama"): out |= {"head_dim": c.head_dim, "rope_scaling": c.rope_scaling}
    return out


PARTS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
         "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "model.layers": "blk"}


def interleaved(tensor, heads):
    """The order llama.cpp wants Llama's query and key rows in."""
    a = tensor.numpy()
    return np.ascontiguousarray(a.reshape(heads, 2, a.shape[0] // heads // 2, *a.shape[1:]).swapaxes(1, 2).reshape(a.shape))


def write_gguf(model, name, state):
    c, arch = model.config, name.split("-")[0]
    w = gguf.GGUFWriter(OUT / f"{name}.gguf", arch)
    w.add_block_count(c.num_hidden_layers); w.add_context_length(c.max_position_embeddings); w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size); w.add_head_count(c.num_attention_heads); w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps); w.add_rope_freq_base(c.rope_theta); w.add_eos_token_id(2); w.add_license("mit")
    head = getattr(c, "head_dim", c.hidden_size // c.num_attention_heads)
    w.add_key_length(head); w.add_value_length(head)
    if name == "llama-scaled":
        rotary = model.model.rotary_emb
        plain = c.rope_theta ** (-torch.arange(0, head, 2).double() / head)
        w.add_tensor("rope_freqs.weight", (plain / rotary.inv_freq.double()).float().numpy())
    for key, value in state.items():
        for a, b in PARTS.items(): key = key.replace(a, b)
        heads = {"attn_q": c.num_attention_heads, "attn_k": c.num_key_value_heads}.get(key.split(".")[2] if key.startswith("blk") else "")
        array = interleaved(value, heads) if heads and arch == "llama" else value.numpy()
        w.add_tensor(key, quants.quantize(array, Q.BF16) if array.ndim == 2 else array, raw_dtype=Q.BF16 if array.ndim == 2 else None)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


def half_precision(state):
    """Weights that are exact in BF16 or F16, so that every format holds the same model."""
    return {k: v.to(torch.bfloat16).float() for k, v in state.items()}


golden = {"ids": IDS, "models": {}}
for name in ("llama-tied", "llama-scaled", "qwen2", "qwen3"):
    model = build(name)
    state = half_precision(state_of(model, name))
    model.load_state_dict({k: half_precision({k: v})[k] for k, v in model.state_dict().items()})
    with torch.inference_mode(): logits = model(torch.tensor([IDS])).logits[0]
    folder = OUT / name; folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config_of(model, name)))
    stored = {k: v.to(torch.bfloat16) for k, v in state.items()}
    if name == "qwen2":  # in two shards
        keys = sorted(stored); cut = len(keys) // 2
        shards = {"model-00001-of-00002.safetensors": keys[:cut], "model-00002-of-00002.safetensors": keys[cut:]}
        for file, some in shards.items(): save_file({k: stored[k] for k in some}, folder / file)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {k: f for f, some in shards.items() for k in some}}))
    else: save_file(stored, folder / "model.safetensors")
    write_gguf(model, name, {k: v for k, v in state.items()})
    golden["models"][name] = {"logits": [round(float(v), 5) for v in logits.flatten()]}
    print(name, model.config.model_type, float(logits.std()))

rng = np.random.default_rng(1)
golden["formats"] = {}
for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q4_K", "Q6_K"):
    kind = Q[name]
    values, size = gguf.GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (4, size * (16 if values == 1 else 1)), dtype=np.uint8)
    if name == "F32": data = rng.normal(0, 1, (4, 8)).astype(np.float32).view(np.uint8)
    for block in data:  # scales that are finite: any bits would be as good elsewhere
        at = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}.get(name, [])
        for i in at: block[i:i + 2] = np.frombuffer(np.float16(rng.normal(0, 0.05)).tobytes(), np.uint8)
        if name == "F16": block[1::2] &= 0xbb
        if name == "BF16": block[1::2] &= 0xbf
    full = quants.dequantize(data, kind).astype(np.float32)
    golden["formats"][name] = {"bytes": data.tobytes().hex(), "values": full.flatten().view("<u4").tolist()}

matrix = rng.normal(0, 1, (6, 40)).astype(np.float32)
matrix[2] = 0
scale = np.maximum(np.abs(matrix).max(1), 1e-8) / 127
golden["int8"] = {"matrix": matrix.flatten().view("<u4").tolist(), "q": np.rint(matrix / scale[:, None]).astype(np.int8).flatten().tolist(), "scales": scale.astype(np.float32).view("<u4").tolist()}
(OUT / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print({p.name: p.stat().st_size for p in OUT.rglob("*") if p.is_file()})
