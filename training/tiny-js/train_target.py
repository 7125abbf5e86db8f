"""Trains the AR target, grown by depth: 6 layers, every layer doubled to 12, then 8 layers more that begin as identities.

    python train_target.py WORK --steps 700 --layers 6  --out six.pt    --decay 0
    python train_target.py WORK --steps 960 --layers 12 --out twelve.pt --grow-from six.pt --length 512 --batch 12
    python train_target.py WORK --steps 900 --layers 20 --out twenty.pt --grow-from quiet12.pt --length 512 --batch 12 --peak 0.5 --decay 1 --seed 2

Resumable: with --out present and unfinished it goes on from there. The learning rate follows the steps: warm-up to
--peak, constant, then linear to zero over the last --decay of them. Runs on CPU (bf16 autocast) or on a GPU.
"""
import argparse, json, pathlib, time
import numpy as np, torch, torch.nn.functional as F
from model import Decoder, VOCABULARY, causal_mask
from optimiser import MuonAdamW

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("--steps", type=int, required=True)
a.add_argument("--layers", type=int, required=True); a.add_argument("--out", required=True)
a.add_argument("--grow-from"); a.add_argument("--peak", type=float, default=1.0); a.add_argument("--decay", type=float, default=0.45)
a.add_argument("--batch", type=int, default=24); a.add_argument("--length", type=int, default=256); a.add_argument("--seed", type=int, default=0)
a = a.parse_args()

torch.manual_seed(a.seed); torch.set_num_threads(2)
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.set_default_tensor_type(torch.cuda.FloatTensor if device == "cuda" else torch.FloatTensor)
ids = {s: torch.from_numpy(np.fromfile(a.work / f"{s}.bin", dtype=np.uint16).astype(np.int64)).cpu() for s in ("train", "heldout")}
model, out = Decoder(a.layers), a.work / a.out
optimiser, step, spent = MuonAdamW(model), 0, 0.0
if out.exists():
    saved = torch.load(out, map_location=device)
    model.load_state_dict(saved["model"]); step, spent = saved["step"], saved["minutes"]
    if "optimiser" in saved: optimiser.load_state_dict(saved["optimiser"])
elif a.grow_from:
    small = torch.load(a.work / a.grow_from, map_location=device)["model"]
    few = 1 + max(int(k.split(".")[1]) for k in small if k.startswith("blocks."))
    sources = [i * few // a.layers for i in range(a.layers)]   # the layer that each layer of the grown model copies
    grown = {}
    for key in model.state_dict():
        parts = key.split(".")
        if parts[0] == "blocks": i, parts[1] = int(parts[1]), str(sources[int(parts[1])])
        grown[key] = small[".".join(parts)].clone()
        if key.endswith(("o.weight", "down.weight")):   # all doubled: halves; else the second of two begins as the identity
            grown[key] *= few / a.layers if a.layers % few == 0 else float(i == 0 or sources[i - 1] != sources[i])
    model.load_state_dict(grown)

mask, positions = causal_mask(a.length), torch.arange(a.length)
autocast = lambda: torch.autocast(device, dtype=torch.bfloat16)
# epochs without replacement: every window of the shuffled stream is seen once before any is seen again
windows = (len(ids["train"]) - 1) // a.length


def order(epoch):
    return torch.from_numpy(np.random.default_rng(a.seed * 1000 + epoch).permutation(windows))


def batch(step):
    rows = []
    for j in range(step * a.batch, (step + 1) * a.batch):
        epoch, index = divmod(j, windows)
        if epoch not in orders: orders.clear(); orders[epoch] = order(epoch)
        start = orders[epoch][index] * a.length
        rows.append(ids["train"][start:start + a.length + 1])
    return torch.stack(rows).to(device)


@torch.no_grad()
def heldout_loss(count=48):
    starts = np.linspace(0, len(ids["heldout"]) - a.length - 1, count).astype(int)
    x = torch.stack([ids["heldout"][i:i + a.length + 1] for i in starts]).to(device)
    with autocast():
        logits = torch.cat([model(part[:, :-1], positions, mask)[0].float() for part in x.split(16)])
    return F.cross_entropy(logits.reshape(-1, VOCABULARY), x[:, 1:].reshape(-1)).item()


even = torch.ones(a.batch * a.length)
orders, begin, resumed, first = {}, time.time(), spent, step
log = open(a.work / (a.out + ".log"), "a")
while step < a.steps:
    spent = resumed + (time.time() - begin) / 60
    left = 1 - step / a.steps
    multiplier = a.peak * min(1, (step + 1) / 60, left / a.decay if a.decay else 1)
    x = batch(step + (100_000 if a.grow_from else 0))
    with autocast():
        loss = model.loss(x[:, :-1], positions, mask, x[:, 1:], even)
    optimiser.zero_grad(); loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step(multiplier); step += 1
    if step % 20 == 0:
        rate = (step - first) * a.batch * a.length / (time.time() - begin)
        row = {"step": step, "minutes": round(spent, 2), "loss": round(loss.item(), 4), "tokensPerSecond": round(rate), "multiplier": round(multiplier, 3)}
        if step % 200 == 0:
            row["heldout"] = round(heldout_loss(), 4)
            torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "minutes": spent}, out)
        print(json.dumps(row), file=log, flush=True)
torch.save({"model": model.state_dict(), "step": step, "minutes": spent}, out)
print(json.dumps({"step": step, "minutes": round(spent, 2), "heldout": round(heldout_loss(200 if a.layers > 6 else 48), 4)}), file=log, flush=True)
