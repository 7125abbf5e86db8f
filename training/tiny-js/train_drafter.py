"""Trains the block-causal diffusion drafter on the target's own continuations.

    python train_drafter.py WORK --minutes 45 --layers 2 --text text.npz --out drafter.pt

Begins with evenly spaced layers of the target (or of --target). The prefix is causal; at random anchors inside the continuation
a block of masks begins that sees the prefix before the anchor and itself in both directions. In half of the blocks
every position is masked (one-step drafting); in the others each position is revealed with a rate drawn uniformly,
so that every mask ratio is trained and refinement steps work. Position i of a block weighs DECAY ** i.

The ids of the continuation come with the target's hidden rows (taps.py), those of the prompt without. In some steps all
go without, so that the drafter also serves a target that shows none.
"""
import argparse, json, pathlib, time
import numpy as np, torch
from continuations import NEW
from model import Decoder, TAPS, WIDTH, causal_mask
from optimiser import MuonAdamW

MASK, DECAY, BLIND = 1, 0.92, 0.1
LENGTHS, SHARES = (6, 8, 16, 32), (0.25, 0.45, 0.25, 0.05)   # masks a block

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("--minutes", type=float, required=True); a.add_argument("--layers", type=int, default=4)
a.add_argument("--text", nargs="+", required=True); a.add_argument("--target", default="target.pt"); a.add_argument("--out", default="drafter.pt")
a.add_argument("--batch", type=int, default=20); a.add_argument("--positions", type=int, default=288, help="mask positions per sequence"); a.add_argument("--seed", type=int, default=0)
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
    """ids, positions, mask, labels, weights of one batch of equal prompt length; anchors and lengths are shared in the batch."""
    K = int(rng.choice(LENGTHS, p=SHARES))
    count, T = a.positions // K, prompt + NEW
    anchors = rng.integers(prompt, T - K // 2, count)
    mask = torch.full((T + count * K,) * 2, float("-inf"), device="cpu")
    mask[:T, :T] = causal_mask(T)
    positions, labels, weights, fed = [torch.arange(T)], [], [], []
    for j, anchor in enumerate(anchors.tolist()):
        s, inside = T + j * K, max(0, min(K, T - anchor))
        mask[s:s + K, :anchor] = 0; mask[s:s + K, s:s + K] = 0
        positions.append(torch.arange(anchor, anchor + K))
        true = torch.zeros(len(x), K, dtype=torch.long); true[:, :inside] = x[:, anchor:anchor + inside]
        weight = (DECAY ** torch.arange(K).float()).repeat(len(x), 1); weight[:, inside:] = 0
        shown = torch.rand(len(x), K) < (torch.rand(len(x), 1) * (torch.rand(len(x), 1) < 0.5))
        shown[:, inside:] = False
        weight[shown] = 0
        fed.append(torch.where(shown, true, torch.full_like(true, MASK))); labels.append(true); weights.append(weight)
    return torch.cat([x, *fed], 1), torch.cat(positions), mask, torch.cat(labels, 1), torch.cat(weights, 1), T, K, count


def taps_of(chosen, prompt, length):
    """[B, length, len(TAPS), d]: the taps of the continuation's ids, zeros elsewhere."""
    taps = torch.zeros(len(chosen), length, len(TAPS), WIDTH, dtype=torch.bfloat16)
    if rng.random() < BLIND: return taps.to(device)
    for i, at in enumerate(chosen.tolist()):
        file = np.searchsorted(firsts, at, "right") - 1
        taps[i, prompt:prompt + NEW] = torch.tensor(seen[file][at - firsts[file]]).to(taps)
    return taps.to(device)


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
    fed, positions, mask, labels, weights, T, K, count = blocks(x, prompt)
    taps = taps_of(chosen, prompt, T)
    with torch.autocast(device, dtype=torch.bfloat16):
        loss = model.loss(fed.to(device), positions.to(device), mask.to(device), labels.to(device), weights.to(device), rows=slice(T, None), taps=taps)
    optimiser.zero_grad(); loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step(multiplier); step += 1
    if step % 50 == 0:
        with torch.no_grad(), torch.autocast(device, dtype=torch.bfloat16):
            logits, _ = model(fed, positions, mask, rows=slice(T, None), taps=taps)
        hit = ((logits.argmax(-1) == labels) & (weights > 0)).float().view(-1, count, K).sum((0, 1)) / (weights > 0).float().view(-1, count, K).sum((0, 1))
        row = {"step": step, "minutes": round(spent, 2), "loss": round(loss.item(), 4), "accuracy": [round(v, 2) for v in hit[[0, 1, 2, 3, 5]].tolist()],
               "blocksPerSecond": round((step - first) * a.batch * count / (time.time() - begin))}
        print(json.dumps(row), file=log, flush=True)
        if step % 250 == 0: torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "minutes": spent}, out)
torch.save({"model": model.state_dict(), "step": step, "minutes": spent}, out)
