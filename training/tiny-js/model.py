"""The Llama-family decoder that target and drafter share: RMSNorm, RoPE (half-split), grouped-query attention,
SwiGLU, tied embedding. Weights are kept fused as the ONNX graphs want them: qkv and gate-up."""
import math
import torch, torch.nn as nn, torch.nn.functional as F

VOCABULARY, WIDTH, HEADS, KV_HEADS, HEAD_DIM, HIDDEN = 4096, 256, 4, 1, 64, 768
TARGET_LAYERS, ROPE_THETA, EPSILON = 12, 10_000.0, 1e-5
TAPS = (4, 8, "output")   # hidden rows of the target that the drafter reads: the stream entering a layer, or the LM head's input


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + EPSILON).to(x.dtype) * self.weight


def rope_tables(positions):
    frequency = ROPE_THETA ** (-torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM)
    angle = positions.float()[:, None] * frequency
    return angle.cos(), angle.sin()


def rotate(x, tables):
    cos, sin = (t.to(x.dtype) for t in tables)
    a, b = x[..., : HEAD_DIM // 2], x[..., HEAD_DIM // 2:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(WIDTH), RMSNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, (HEADS + 2 * KV_HEADS) * HEAD_DIM, bias=False)
        self.o = nn.Linear(HEADS * HEAD_DIM, WIDTH, bias=False)
        self.gate_up = nn.Linear(WIDTH, 2 * HIDDEN, bias=False)
        self.down = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x, tables, mask, past=None):
        """x [B, T, d]; mask additive [T, P + T]; past (k, v) of [B, KV, P, D]. Returns x and the new (k, v)."""
        B, T, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, T, HEADS + 2 * KV_HEADS, HEAD_DIM).transpose(1, 2).split([HEADS, KV_HEADS, KV_HEADS], 1)
        q, k = rotate(q, tables), rotate(k, tables)
        if past is not None: k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        # one KV head: the query heads fold into rows, so that each product is one matrix multiplication per sequence
        scores = (q.reshape(B, HEADS * T, HEAD_DIM) * HEAD_DIM ** -0.5) @ k[:, 0].transpose(1, 2)
        scores = scores.view(B, HEADS, T, -1) + mask.to(scores.dtype)
        y = (scores.softmax(-1).to(v.dtype).view(B, HEADS * T, -1) @ v[:, 0]).view(B, HEADS, T, HEAD_DIM).transpose(1, 2).reshape(B, T, -1)
        x = x + self.o(y)
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up), (k, v)


class TapInput(nn.Module):
    """What the target thought of a position before it chose the id there, as an addition to that id's embedding.
    Rows of zeros (masks, the prompt) add nothing. Begins at 0, so that a drafter without taps can grow them."""
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(RMSNorm(WIDTH) for _ in TAPS)
        self.join = nn.Linear(len(TAPS) * WIDTH, WIDTH, bias=False)

    def forward(self, taps):
        """taps [B, T, len(TAPS), d] -> [B, T, d]."""
        return self.join(torch.cat([norm(t) for norm, t in zip(self.norms, taps.unbind(2))], -1))


class Decoder(nn.Module):
    def __init__(self, layers=TARGET_LAYERS, taps=False):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(layers))
        self.norm = RMSNorm(WIDTH)
        for name, p in self.named_parameters():
            if p.dim() == 2: nn.init.normal_(p, std=0.02 / (math.sqrt(2 * layers) if name.endswith(("o.weight", "down.weight")) else 1))
        self.taps = TapInput() if taps else None
        if taps: nn.init.zeros_(self.taps.join.weight)

    def embed(self, ids, taps):
        x = self.embedding(ids)
        return x if taps is None else x + self.taps(taps)

    def forward(self, ids, positions, mask, past=None, rows=None, taps=None):
        """ids [B, T], taps as TapInput takes them -> logits [B, T or rows, V] and the KV of every layer."""
        x, tables, kv = self.embed(ids, taps), rope_tables(positions), []
        for i, block in enumerate(self.blocks):
            x, cache = block(x, tables, mask, None if past is None else past[i])
            kv.append(cache)
        if rows is not None: x = x[:, rows]
        return self.norm(x) @ self.embedding.weight.t(), kv

    def read_taps(self, ids, rows):
        """ids [B, T] -> the TAPS of these rows, [B, rows, len(TAPS), d]."""
        x, tables, mask, seen = self.embedding(ids), rope_tables(torch.arange(ids.shape[1])), causal_mask(ids.shape[1]), []
        for i, block in enumerate(self.blocks):
            if i in TAPS: seen.append(x[:, rows])
            x, _ = block(x, tables, mask)
        return torch.stack([*seen, self.norm(x[:, rows])], 2)

    def loss(self, ids, positions, mask, labels, weights, rows=None, unlikely=False, taps=None):
        """Weighted mean of -ln p(label), or of -ln(1 - p(label)) where unlikely; labels and weights [N] for the
        N = B * (T or rows) outputs. Nats."""
        x, tables = self.embed(ids, taps), rope_tables(positions)
        for block in self.blocks: x, _ = block(x, tables, mask)
        if rows is not None: x = x[:, rows]
        return HeadLoss.apply(self.norm(x).reshape(-1, WIDTH), self.embedding.weight, labels.reshape(-1), weights.reshape(-1), unlikely)


class HeadLoss(torch.autograd.Function):
    """LM head, softmax and cross-entropy in slices that fit the cache; the gradients are made in the same visit."""
    SLICE = 512
    MOST = 0.95   # a probability above this counts as this in -ln(1 - p), so that no token's gradient runs away

    @staticmethod
    def forward(ctx, hidden, embedding, labels, weights, unlikely):
        e, total, scale = embedding.detach().bfloat16(), 0.0, 1.0 / weights.sum()
        grad_hidden, grad_embedding = torch.empty_like(hidden), torch.zeros_like(embedding, dtype=torch.float32)
        for at in range(0, len(hidden), HeadLoss.SLICE):
            cut = slice(at, at + HeadLoss.SLICE)
            h = hidden[cut].detach().bfloat16()
            p = (h @ e.t()).float()
            p -= p.max(-1, keepdim=True).values
            picked = p.gather(1, labels[cut, None])[:, 0]
            p.exp_()
            z = p.sum(-1)
            w = weights[cut] * scale
            if unlikely:   # d/dz of -ln(1 - p_y) is -p_y / (1 - p_y) times that of -ln p_y
                likely = (picked.exp() / z).clamp(max=HeadLoss.MOST)
                total = total - ((1 - likely).log() * w).sum()
                w = -w * likely / (1 - likely)
            else: total = total + ((z.log() - picked) * w).sum()
            p *= (w / z)[:, None]
            p.scatter_add_(1, labels[cut, None], -w[:, None])
            g = p.bfloat16()
            grad_hidden[cut] = (g @ e).to(grad_hidden.dtype)
            grad_embedding += (g.t() @ h).float()
        ctx.save_for_backward(grad_hidden, grad_embedding)
        return total

    @staticmethod
    def backward(ctx, up):
        grad_hidden, grad_embedding = ctx.saved_tensors
        return grad_hidden * up, grad_embedding * up, None, None, None


def causal_mask(length):
    return torch.full((length, length), float("-inf")).triu(1)
