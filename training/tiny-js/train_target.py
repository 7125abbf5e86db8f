"""Trains the AR target. Grown by depth: a 6-layer model first, then every layer doubled to 12 (function-near stacking).

    python train_target.py WORK --minutes 16 --layers 6  --out six.pt    --no-decay
    python train_target.py WORK --minutes 44 --layers 12 --out target.pt --grow-from six.pt --length 512 --batch 12

Resumable: with --out present and unfinished it goes on from there. The learning rate follows the clock: warm-up,
constant, then linear to zero over the last 45 % of the minutes. Runs on CPU (bf16 autocast) or on a GPU.
"""
import argparse, json, pathlib, time
import numpy as np, torch, torch.nn.functional as F
from model import Decoder, VOCABULARY, causal_mask
from optimiser import MuonAdamW

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("--minutes", type=float, required=True)
a.add_argument("--layers", type=int, required=True); a.add_argument("--out", required=True)
a.add_argument("--grow-from"); a.add_argument("--no-decay", action="store_true")
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
    factor = a.layers // (1 + max(int(k.split(".")[1]) for k in small if k.startswith("blocks.")))
    grown = {}
    for key in model.state_dict():   # layer i of the grown model copies layer i // factor
        parts = key.split(".")
        if parts[0] == "blocks": parts[1] = str(int(parts[1]) // factor)
        grown[key] = small[".".join(parts)].clone()
        if key.endswith(("o.weight", "down.weight")): grown[key] /= factor
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
while True:
    spent = resumed + (time.time() - begin) / 60
    done = spent / a.minutes
    if done >= 1: break
    multiplier = min(1, (step + 1) / 60) * (1 if a.no_decay else min(1, max(0.02, (1 - done) / 0.45)))
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
