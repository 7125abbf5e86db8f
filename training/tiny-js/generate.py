"""The target's own continuations: the drafter's and the n-gram's training text.

    python generate.py WORK --split train --minutes 10 --out text.npz [--dry 12] [--seed 1] [--batches N]

Every sequence is <|end|>, a prompt cut from the split at the start of a line, and 128 tokens that the target
chooses: greedy, or with --dry N greedy under the DRY penalty of the library's sampler (multiplier 0.8, base 1.75,
allowed length N).
Writes ids uint16 [sequences, longest] (zero-padded at the end), prompt lengths, and prints the share of loops.
"""
import argparse, json, pathlib, time
import numpy as np, torch
from continuations import NEW, PROMPTS
from model import Decoder, VOCABULARY, causal_mask, KV_HEADS, HEAD_DIM

MULTIPLIER, BASE, MOST = 0.8, 1.75, 1e30

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("--split", default="train"); a.add_argument("--out", required=True)
a.add_argument("--target", default="target.pt"); a.add_argument("--minutes", type=float, default=1e9); a.add_argument("--batches", type=int, default=10**9)
a.add_argument("--batch", type=int, default=384); a.add_argument("--dry", type=int, default=0); a.add_argument("--seed", type=int, default=1)
a = a.parse_args()

torch.manual_seed(a.seed); torch.set_num_threads(2)
device = "cuda" if torch.cuda.is_available() else "cpu"
data = np.fromfile(a.work / f"{a.split}.bin", dtype=np.uint16).astype(np.int64)
pieces = {i: p for p, i in json.loads((a.work / "tokenizer.json").read_text())["model"]["vocab"].items()}
breaks = np.array([i for i, p in pieces.items() if p.startswith("Ċ")])          # pieces that begin with a newline
state = torch.load(a.work / a.target, map_location=device)["model"]
model = Decoder(1 + max(int(k.split(".")[1]) for k in state if k.startswith("blocks.")))
model.load_state_dict(state); model.eval().to(device).bfloat16()
rng = np.random.default_rng(a.seed)
starts = np.flatnonzero(np.isin(data[:-512], breaks)) + 1


def loop_share(rows):
    """Share of continuations of which at least half of the 4-grams repeat an earlier one."""
    def repeats(ids):
        grams = [tuple(ids[i:i + 4]) for i in range(len(ids) - 3)]
        return 1 - len(set(grams)) / len(grams)
    return float(np.mean([repeats(r.tolist()) >= 0.5 for r in rows]))


class Dry:
    """The DRY penalty of a batch: run[b, j] ids end both ids[b, :j] and the text so far."""

    def __init__(self, prompt):
        self.length, self.ids = 0, np.zeros((len(prompt), prompt.shape[1] + NEW), np.int64)
        self.run = np.zeros_like(self.ids)
        for column in prompt.T: self.append(column)

    def append(self, tokens):
        n = self.length
        self.run[:, 1:n + 1] = np.where(self.ids[:, :n] == tokens[:, None], self.run[:, :n] + 1, 0)
        self.ids[:, n] = tokens; self.length += 1

    def penalties(self):
        """[B, V]: nats to take from the scores of the next token."""
        out = np.zeros((len(self.ids), VOCABULARY))
        rows, at = np.nonzero(self.run[:, :self.length] >= a.dry)
        grown = np.minimum(MOST, MULTIPLIER * BASE ** (self.run[rows, at] - a.dry).astype(float))
        np.maximum.at(out, (rows, self.ids[rows, at]), grown)
        return torch.from_numpy(out).float()


@torch.no_grad()
def continuations(prompt):
    """prompt [B, P] -> ids [B, P + NEW]."""
    B, P = prompt.shape
    ids = torch.from_numpy(prompt).to(device)
    logits, kv = model(ids, torch.arange(P), causal_mask(P), rows=[P - 1])
    past = []
    for k, v in kv:
        buffers = torch.zeros(2, B, KV_HEADS, P + NEW, HEAD_DIM, dtype=torch.bfloat16)
        buffers[0, :, :, :P], buffers[1, :, :, :P] = k, v
        past.append(buffers)
    dry = Dry(prompt) if a.dry else None
    out = [ids]
    for j in range(NEW):
        row = logits[:, -1].float()
        if dry: row = row - dry.penalties().to(device)
        token = row.argmax(-1, keepdim=True)
        out.append(token)
        if dry: dry.append(token[:, 0].cpu().numpy())
        if j < NEW - 1: logits = step(token, P + j, past)
    return torch.cat(out, 1).cpu().numpy()


def step(token, position, past):
    """One token of every sequence against preallocated buffers."""
    from model import rope_tables, rotate, HEADS
    import torch.nn.functional as F
    B, x, tables = len(token), model.embedding(token), rope_tables(torch.tensor([position]))
    for block, buffers in zip(model.blocks, past):
        q, k, v = block.qkv(block.norm1(x)).view(B, 1, HEADS + 2 * KV_HEADS, HEAD_DIM).transpose(1, 2).split([HEADS, KV_HEADS, KV_HEADS], 1)
        buffers[0, :, :, position] = rotate(k, tables)[:, :, 0]; buffers[1, :, :, position] = v[:, :, 0]
        keys, values = (buffers[s, :, 0, :position + 1] for s in (0, 1))
        scores = (rotate(q, tables)[:, :, 0] * HEAD_DIM ** -0.5) @ keys.transpose(1, 2)
        y = scores.float().softmax(-1).bfloat16() @ values
        x = x + block.o(y.reshape(B, 1, -1))
        gate, up = block.gate_up(block.norm2(x)).chunk(2, -1)
        x = x + block.down(F.silu(gate) * up)
    return model.norm(x) @ model.embedding.weight.t()


begin, rows, lengths, loops = time.time(), [], [], []
while (time.time() - begin) / 60 < a.minutes and len(rows) < a.batches:
    P = int(rng.choice(PROMPTS))
    at = rng.choice(starts, a.batch)
    prompt = np.stack([np.concatenate([[0], data[i:i + P - 1]]) for i in at])
    prompt[:, 1:][prompt[:, 1:] == 0] = 2   # a document's end inside a prompt would be a second beginning
    ids = continuations(prompt)
    loops.append(loop_share(ids[:, P:]))
    rows.append(np.pad(ids, ((0, 0), (0, max(PROMPTS) + NEW - ids.shape[1]))).astype(np.uint16)); lengths += [P] * a.batch
    np.savez(a.work / a.out, ids=np.concatenate(rows), prompts=np.array(lengths))
    print(json.dumps({"batches": len(rows), "tokens": len(rows) * a.batch * NEW, "tokensPerSecond": round(len(rows) * a.batch * NEW / (time.time() - begin)), "loopShare": round(float(np.mean(loops)), 3)}), flush=True)
