"""The drafter of SmolLM2-135M: a few Llama layers over the target's embedding and a part of its LM head, both frozen, and the
target's hidden rows (taps) as a second input. Names and fused matrices are those of the ONNX graphs."""
import json, pathlib
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F

TAPS = (10, 20, "output")   # the stream entering a layer of the target, or its LM head's input
MASK = 16                   # <empty_output>, an id that no text has


class Target:
    """The imported int8 weights, dequantised."""

    def __init__(self, folder: pathlib.Path):
        import onnx
        self.shape = json.loads((folder / "manifest.json").read_text())["target"]
        graph = onnx.load(str(folder / self.shape["graphs"]["int8"]["chain"]), load_external_data=False).graph
        self.places = {}
        for t in graph.initializer:
            where = {e.key: e.value for e in t.external_data}
            if where: self.places[t.name] = (folder / where["location"], int(where["offset"]), tuple(t.dims), {1: np.float32, 3: np.int8}[t.data_type])

    def raw(self, name):
        file, offset, dims, kind = self.places[name]
        return np.fromfile(file, kind, int(np.prod(dims)), offset=offset).reshape(dims)

    def vector(self, name): return torch.from_numpy(self.raw(name))

    def matrix(self, name):
        """[out, in] of a product, which is stored [in, out] with a scale for every output."""
        return torch.from_numpy((self.raw(name + ".q").astype(np.float32) * self.raw(name + ".s")).T.copy())

    def embedding(self): return torch.from_numpy(self.raw("embedding.q").astype(np.float32) * self.raw("embedding.s")[:, None])


def published(file: pathlib.Path):
    """The state of a Drafter from the safetensors file that export.py wrote, dequantised."""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    entries = {k: v for k, v in json.loads(data[8:start]).items() if k != "__metadata__"}

    def read(name):
        kind = {"I8": np.int8, "F32": np.float32, "I32": np.int32}[entries[name]["dtype"]]
        first, end = entries[name]["data_offsets"]
        return np.frombuffer(data[start + first:start + end], kind).reshape(entries[name]["shape"])

    matrix = lambda name: torch.from_numpy((read(name + ".q").astype(np.float32) * read(name + ".s")).T.copy())
    state = {"vocabulary": torch.from_numpy(read("vocabulary").astype(np.int64)), "join.weight": matrix("taps.join"), "norm.weight": torch.tensor(read("norm"))}
    for i in range(len(TAPS)): state[f"tap_norms.{i}.weight"] = torch.tensor(read(f"taps.norm{i}"))
    for i in range(sum(name.endswith(".qkv.q") for name in entries)):
        for part in ("qkv", "o", "gate_up", "down"): state[f"blocks.{i}.{part}.weight"] = matrix(f"{i}.{part}")
        for part in ("norm1", "norm2"): state[f"blocks.{i}.{part}.weight"] = torch.tensor(read(f"{i}.{part}"))
    return state


class RMSNorm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(width)), epsilon

    def forward(self, x): return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + self.epsilon).to(x.dtype) * self.weight


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        d, self.heads, self.kv, self.dim = shape["width"], shape["heads"], shape["kvHeads"], shape["headDim"]
        self.norm1, self.norm2 = RMSNorm(d, shape["epsilon"]), RMSNorm(d, shape["epsilon"])
        linear = lambda a, b: nn.Linear(a, b, bias=False)
        self.qkv, self.o = linear(d, (self.heads + 2 * self.kv) * self.dim), linear(self.heads * self.dim, d)
        self.gate_up, self.down = linear(d, 2 * shape["hidden"]), linear(shape["hidden"], d)

    def forward(self, x, cos, sin, mask):
        """x [B, T, d]; cos, sin [B, 1, T, dim / 2]; mask additive [B, 1, T, T]."""
        B, T, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, T, -1, self.dim).transpose(1, 2).split([self.heads, self.kv, self.kv], 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        share = self.heads // self.kv   # the query heads of a key head fold into rows
        scores = (q.reshape(B, self.kv, share * T, self.dim) * self.dim ** -0.5) @ k.transpose(-1, -2)
        scores = scores.view(B, self.kv, share, T, T) + mask[:, None].to(scores.dtype)
        y = scores.softmax(-1).to(v.dtype).view(B, self.kv, share * T, T) @ v
        x = x + self.o(y.view(B, self.heads, T, self.dim).transpose(1, 2).reshape(B, T, -1))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Drafter(nn.Module):
    def __init__(self, target: Target, layers, vocabulary, reads_taps=True):
        """vocabulary: the ids that may be drafted, int64 [D]. reads_taps: False for one that stands alone."""
        super().__init__()
        s = self.shape = target.shape
        embedding = target.embedding()
        self.register_buffer("embedding", embedding.bfloat16(), persistent=False)
        self.register_buffer("head", embedding[vocabulary].bfloat16(), persistent=False)
        self.register_buffer("vocabulary", vocabulary)
        self.blocks = nn.ModuleList(Block(s) for _ in range(layers))
        self.norm = RMSNorm(s["width"], s["epsilon"])
        self.tap_norms = nn.ModuleList(RMSNorm(s["width"], s["epsilon"]) for _ in TAPS if reads_taps)
        if reads_taps:
            self.join = nn.Linear(len(TAPS) * s["width"], s["width"], bias=False)
            nn.init.zeros_(self.join.weight)
        self.frequency = s["ropeTheta"] ** (-torch.arange(0, s["headDim"], 2, device="cpu").float() / s["headDim"])

    def begin_from(self, target, chosen, taps):
        """Layers of the target, its last norm, and inputs of which no dimension drowns the others. taps [rows, taps, d] of some text."""
        for block, i in zip(self.blocks, chosen):
            for part in ("qkv", "o", "gate_up", "down"): getattr(block, part).weight.data.copy_(target.matrix(f"{i}.{part}"))
            for part in ("norm1", "norm2"): getattr(block, part).weight.data.copy_(target.vector(f"{i}.{part}"))
        self.norm.weight.data.copy_(target.vector("norm"))
        for norm, tap in zip(self.tap_norms, taps.float().unbind(1)):   # a few dimensions are a hundred times as large as the others
            norm.weight.data.copy_(1 / (norm(tap).std(0) + 0.02))

    def hidden(self, ids, positions, mask, taps, rows):
        """ids, positions [B, T]; taps [B, T, taps, d], ignored where none are read; rows [B, T] booleans -> the LM head's input [rows, d]."""
        x = F.embedding(ids, self.embedding).float()
        if self.tap_norms: x = x + self.join(torch.cat([norm(t) for norm, t in zip(self.tap_norms, taps.float().unbind(2))], -1))
        angle = positions[:, None, :, None].float() * self.frequency.to(positions.device)
        cos, sin = angle.cos().to(torch.bfloat16), angle.sin().to(torch.bfloat16)
        for block in self.blocks: x = block(x, cos, sin, mask)
        return self.norm(x[rows])


class HeadLoss(torch.autograd.Function):
    """Cross-entropy against what the target thought at the same place, its softmax over the same part of the vocabulary, in
    slices that fit the cache; the head is frozen. hidden, teacher [N, d]: inputs of the LM head; weights [N]. Nats."""
    SLICE = 512

    @staticmethod
    def forward(ctx, hidden, teacher, head, weights):
        total, scale, grad = 0.0, 1.0 / weights.sum(), torch.empty_like(hidden)
        for at in range(0, len(hidden), HeadLoss.SLICE):
            cut = slice(at, at + HeadLoss.SLICE)
            log_p = (hidden[cut].bfloat16() @ head.t()).float().log_softmax(-1)
            q = (teacher[cut].bfloat16() @ head.t()).float().softmax(-1)
            w = weights[cut] * scale
            total = total - ((q * log_p).sum(-1) * w).sum()
            grad[cut] = (((log_p.exp_() - q) * w[:, None]).bfloat16() @ head).to(grad.dtype)
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx, up): return ctx.saved_tensors[0] * up, None, None, None
