"""Teaches the target not to loop: unlikelihood on its own greedy loops (Welleck et al., 2020), beside the usual loss.

    python generate.py WORK --split train --batches 3 --out loops.npz
    python unloop.py WORK --text loops.npz --minutes 5 --from target.pt --out target2.pt

A continuation's token counts as looping where the six ids that end with it stood in the same continuation before.
"""
import argparse, json, pathlib, time
import numpy as np, torch
from continuations import NEW
from model import Decoder, causal_mask
from optimiser import MuonAdamW

GRAM, STRENGTH = 6, 0.15

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("--text", nargs="+", required=True); a.add_argument("--minutes", type=float, required=True)
a.add_argument("--from", dest="source", required=True); a.add_argument("--out", required=True); a.add_argument("--weight", type=float, default=1.0); a.add_argument("--seed", type=int, default=0)
a = a.parse_args()
torch.manual_seed(a.seed); torch.set_num_threads(2)
rng = np.random.default_rng(a.seed)
corpus = torch.from_numpy(np.fromfile(a.work / "train.bin", dtype=np.uint16).astype(np.int64))
text = [np.load(a.work / f) for f in a.text]
ids, prompts = np.concatenate([t["ids"] for t in text]).astype(np.int64), np.concatenate([t["prompts"] for t in text])


def looping(row, prompt, end):
    seen, flags = set(), np.zeros(end, np.float32)
    for i in range(prompt + GRAM, end + 1):
        gram = tuple(row[i - GRAM:i])
        if gram in seen: flags[i - 1] = 1
        seen.add(gram)
    return flags


flags = [looping(r.tolist(), int(p), int(p) + NEW) for r, p in zip(ids, prompts)]
rows = {int(p): [i for i in np.flatnonzero(prompts == p) if flags[i].sum() > 8] for p in np.unique(prompts)}
print({p: len(v) for p, v in rows.items()}, "looping continuations of", len(ids), flush=True)
state = torch.load(a.work / a.source)["model"]
model = Decoder(1 + max(int(k.split(".")[1]) for k in state if k.startswith("blocks."))); model.load_state_dict(state)
optimiser, step, begin = MuonAdamW(model), 0, time.time()
L, B = 512, 6
mask, positions, even = causal_mask(L), torch.arange(L), torch.ones(B * L)
while (done := (time.time() - begin) / 60 / a.minutes) < 1:
    x = torch.stack([corpus[i:i + L + 1] for i in rng.integers(0, len(corpus) - L - 1, B)])
    P = int(rng.choice(list(rows))); chosen = rng.choice(rows[P], 16)
    y = torch.from_numpy(ids[chosen][:, :P + NEW]); weight = torch.from_numpy(np.stack([flags[i] for i in chosen]))[:, 1:]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        likely = model.loss(x[:, :-1], positions, mask, x[:, 1:], even)
        T = P + NEW - 1
        unlikely = model.loss(y[:, :-1], torch.arange(T), causal_mask(T), y[:, 1:], weight.contiguous(), unlikely=True)
    optimiser.zero_grad(); (likely + a.weight * unlikely).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step(STRENGTH * min(1, (step + 1) / 10) * min(1, max(0.03, (1 - done) / 0.6))); step += 1
    if step % 10 == 0: print(json.dumps({"step": step, "minutes": round(done * a.minutes, 2), "loss": round(likely.item(), 3), "unlikely": round(unlikely.item(), 3)}), flush=True)
torch.save({"model": model.state_dict(), "step": step, "minutes": a.minutes}, a.work / a.out)
