"""Trains the block-causal diffusion drafter on the target's own continuations.

    python train_drafter.py WORK --minutes 45 --layers 2 --text text.npz --out drafter.pt

Begins with evenly spaced layers of the target (or of --target). Every row drafts the id behind it: the causal rows of the
continuation, and blocks of masks behind random places of it, which see the text before them and themselves in both
directions. In half of the blocks every position is masked (one-step drafting); in the others each position is revealed with a
rate drawn uniformly, so that every mask ratio is trained and refinement steps work. Position i of a draft weighs DECAY ** i.

The ids of the continuation come with the target's hidden rows (taps.py), those of the prompt without, masks with those of the
last known id. In some steps all
go without, so that the drafter also serves a target that shows none.
"""
import argparse, json, pathlib, time
import numpy as np, torch
from continuations import NEW
from model import Decoder, TAPS, WIDTH, causal_mask
from optimiser import MuonAdamW

MASK, DECAY, BLIND = 1, 0.92, 0.1
LENGTHS, SHARES = (6, 8, 16, 32), (0.25, 0.45, 0.25, 0.05)   # ids a draft

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("--minutes", type=float, required=True); a.add_argument("--layers", type=int, default=4)
a.add_argument("--text", nargs="+", required=True); a.add_argument("--target", default="target.pt"); a.add_argument("--out", default="drafter.pt")
a.add_argument("--batch", type=int, default=20); a.add_argument("--positions", type=int, default=252, help="masks of a sequence"); a.add_argument("--seed", type=int, default=0)
a = a.parse_args()

torch.manual_seed(a.seed); torch.set_num_threads(2)
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.set_default_tensor_type(torch.cuda.FloatTensor if device == "cuda" else torch.FloatTensor)
text = [np.load(a.work / f) for f in a.text]
ids = torch.from_numpy(np.concatenate([t["ids"] for t in text]).astype(np.int64)).cpu()
prompts = np.concatenate([t["prompts"] for t in text])
seen = [np.load(a.work / (f.removesuffix(".npz") + ".taps.npy"), mmap_mode="r") for f in a.text]
firsts = np.cumsum([0] + [len(s) for s in seen])
groups = {int(p): np.flatnonzero(prompts == p) for p in np.unique(prompts)}
rng = np.random.default_rng(a.seed)

target = torch.load(a.work / a.target, map_location=device)["model"]
depth = 1 + max(int(k.split(".")[1]) for k in target if k.startswith("blocks."))
chosen = np.linspace(0, depth - 1, a.layers).round().astype(int).tolist()
model, out = Decoder(a.layers, taps=True), a.work / a.out
initial = {}
for key in model.state_dict():
    parts = key.split(".")
    if parts[0] == "blocks": parts[1] = str(chosen[int(parts[1])])
    initial[key] = target.get(".".join(parts), model.state_dict()[key])
model.load_state_dict(initial)
optimiser, step, resumed = MuonAdamW(model, muon_rate=0.012, adam_rate=1.5e-3), 0, 0.0
if out.exists():
    saved = torch.load(out, map_location=device)
    model.load_state_dict(saved["model"]); step, resumed = saved["step"], saved["minutes"]
    if "optimiser" in saved: optimiser.load_state_dict(saved["optimiser"])


def blocks(x, prompt):
    """ids, positions, mask, labels and weights of all rows [B, T + masks] of one batch of equal prompt length, and where drafts
    begin: the row of the last known id, which is in the text, drafts the first of K ids, and K - 1 masks behind it one each. Anchors
    and lengths are shared in the batch."""
    K = int(rng.choice(LENGTHS, p=SHARES))
    count, T = a.positions // (K - 1), prompt + NEW
    anchors = rng.integers(prompt - 1, T - 1 - K // 2, count)
    mask = torch.full((T + count * (K - 1),) * 2, float("-inf"), device="cpu")
    mask[:T, :T] = causal_mask(T)
    following = torch.cat([x[:, 1:], torch.zeros_like(x[:, :1])], 1)
    inside_text = torch.zeros(len(x), T); inside_text[:, prompt - 1:T - 1] = 1
    positions, labels, weights, fed = [torch.arange(T)], [following], [inside_text], []
    for j, anchor in enumerate(anchors.tolist()):
        s = T + j * (K - 1)
        mask[s:s + K - 1, :anchor + 1] = 0; mask[s:s + K - 1, s:s + K - 1] = 0
        at = torch.arange(anchor + 1, anchor + K)
        positions.append(at)
        own, true = x[:, at.clamp(max=T - 1)], following[:, at.clamp(max=T - 1)]
        known = (at + 1 < T).repeat(len(x), 1)
        shown = torch.rand(len(x), K - 1) < (torch.rand(len(x), 1) * (torch.rand(len(x), 1) < 0.5))
        shown &= (at < T)
        weight = DECAY ** (1 + torch.arange(K - 1).float()).repeat(len(x), 1) * known
        weight[:, :-1][shown[:, 1:]] = 0   # what stands in the next place needs no guess
        fed.append(torch.where(shown, own, torch.full_like(own, MASK))); labels.append(true); weights.append(weight)
    return torch.cat([x, *fed], 1), torch.cat(positions), mask, torch.cat(labels, 1), torch.cat(weights, 1), anchors, T, K


def taps_of(chosen, prompt, length, anchors, K):
    """[B, length + masks, len(TAPS), d]: the taps of the continuation's ids; masks have those of the id their draft begins behind."""
    taps = torch.zeros(len(chosen), length, len(TAPS), WIDTH, dtype=torch.bfloat16)
    if rng.random() >= BLIND:
        for i, at in enumerate(chosen.tolist()):
            file = np.searchsorted(firsts, at, "right") - 1
            taps[i, prompt:prompt + NEW] = torch.tensor(seen[file][at - firsts[file]]).to(taps)
    return torch.cat([taps, taps[:, torch.from_numpy(anchors).repeat_interleave(K - 1)]], 1).to(device)


begin, first = time.time(), step
log = open(a.work / (a.out + ".log"), "a")
while True:
    spent = resumed + (time.time() - begin) / 60
    done = spent / a.minutes
    if done >= 1: break
    multiplier = min(1, (step + 1) / 60) * min(1, max(0.02, (1 - done) / 0.5))
    sizes = np.array([len(v) for v in groups.values()], float)
    prompt = int(rng.choice(list(groups), p=sizes / sizes.sum()))
    chosen = rng.choice(groups[prompt], a.batch)
    x = ids[chosen][:, :prompt + NEW].to(device)
    fed, positions, mask, labels, weights, anchors, T, K = blocks(x, prompt)
    taps = taps_of(chosen, prompt, T, anchors, K)
    with torch.autocast(device, dtype=torch.bfloat16):
        loss = model.loss(fed.to(device), positions.to(device), mask.to(device), labels.to(device), weights.to(device), taps=taps)
    optimiser.zero_grad(); loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step(multiplier); step += 1
    if step % 50 == 0:
        with torch.no_grad(), torch.autocast(device, dtype=torch.bfloat16):
            logits, _ = model(fed, positions, mask, taps=taps)
        right, drafts = (logits.argmax(-1).cpu() == labels.cpu()) & (weights > 0), lambda v: torch.cat([v[:, anchors][:, :, None], v[:, T:].view(len(x), -1, K - 1)], 2).float().sum((0, 1))
        hit = drafts(right) / drafts(weights > 0)
        row = {"step": step, "minutes": round(spent, 2), "loss": round(loss.item(), 4), "accuracy": [round(v, 2) for v in hit[[0, 1, 2, 3, 5]].tolist()],
               "blocksPerSecond": round((step - first) * a.batch * len(anchors) / (time.time() - begin))}
        print(json.dumps(row), file=log, flush=True)
        if step % 250 == 0: torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "minutes": spent}, out)
torch.save({"model": model.state_dict(), "step": step, "minutes": spent}, out)
