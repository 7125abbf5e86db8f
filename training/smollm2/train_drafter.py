"""Trains the block-diffusion drafter on text.

    python train_drafter.py MODEL WORK --text text --minutes 60 [--layers 2] [--out drafter.pt] [--alone]

Every row drafts the id behind it: those of the answers, and blocks of masks behind random places of them. A block sees the
text before it, and itself in both directions, and is filled in one pass. It learns the target's whole distribution at each
place, which the stored hidden rows give, and the row itself. Position i of a draft weighs DECAY ** i. In one of twenty steps the taps are left out, so that the
drafter also serves without. With --alone it never reads any, and half of the blocks show some of their ids. Stops after its minutes and goes on from OUT where that exists; on a GPU, too.
"""
import argparse, json, pathlib, sys, time
import numpy as np, torch
sys.path.append(str(pathlib.Path(__file__).parent.parent / "tiny-js"))
from optimiser import MuonAdamW
from model import Drafter, HeadLoss, MASK, published, TAPS, Target
from text import Text, blocks

DECAY, BLIND, SHOWN, LENGTHS, SHARES = 0.85, 0.05, 0.5, (4, 8), (0.6, 0.4)
NEAR = 0.3   # weight of the squared distance from the target's own hidden row

a = argparse.ArgumentParser()
a.add_argument("model", type=pathlib.Path); a.add_argument("work", type=pathlib.Path); a.add_argument("--text", default="text"); a.add_argument("--out", default="drafter.pt")
a.add_argument("--minutes", type=float, required=True); a.add_argument("--layers", type=int, default=2); a.add_argument("--from-layers", type=int, nargs="+"); a.add_argument("--from-published", type=pathlib.Path, help="a drafter.safetensors, where OUT does not exist"); a.add_argument("--rate", type=float, default=0.02, help="of Muon")
a.add_argument("--batch", type=int, default=16); a.add_argument("--positions", type=int, default=216, help="masks of a sequence; 0: only the rows of known ids learn, in half the time"); a.add_argument("--vocabulary", type=int, default=8192)
a.add_argument("--held-out", type=int, default=100); a.add_argument("--seed", type=int, default=0); a.add_argument("--alone", action="store_true", help="a drafter that reads ids only")
a = a.parse_args()

torch.manual_seed(a.seed); torch.set_num_threads(2)
rng = np.random.default_rng(a.seed + int(time.time()))
device = "cuda" if torch.cuda.is_available() else "cpu"
target = Target(a.model)
text = Text(a.work / a.text, target.shape["width"], len(TAPS))
out = a.work / a.out
saved = torch.load(out, map_location=device) if out.exists() else {"model": published(a.from_published), "step": 0, "minutes": 0.0} if a.from_published else None
vocabulary = saved["model"]["vocabulary"].cpu() if saved else text.frequent(a.vocabulary)
model = Drafter(target, a.layers, vocabulary, reads_taps=not a.alone)
model.begin_from(target, a.from_layers or np.linspace(0, target.shape["layers"] - 1, a.layers).round().astype(int).tolist(), torch.from_numpy(np.array(text.taps[:20000])))
model.to(device)
place = torch.full((target.shape["vocabularySize"],), -1, dtype=torch.long); place[vocabulary] = torch.arange(len(vocabulary))
optimiser, step, resumed = MuonAdamW(model, muon_rate=a.rate, adam_rate=1.5e-3), 0, 0.0
if saved:
    model.load_state_dict(saved["model"], strict=False); step, resumed = saved["step"], saved["minutes"]
    if "optimiser" in saved: optimiser.load_state_dict(saved["optimiser"])
optimiser.follow_norms(4.0)
lengths = np.array([b - s for (_, b, _, _), s in zip(text.spans, text.starts)])
order = np.argsort(lengths[a.held_out:], kind="stable") + a.held_out   # neighbours in length share a batch


def loss_of(chosen, K, count, blind=False, shown=0.0):
    """Also the LM head's inputs of the weighed rows, which rows those are, what they should have chosen, and where drafts begin."""
    ids, answer, taps = text.batch(chosen)
    fed, positions, mask, anchors, places, weights = blocks(ids, answer, K, count, MASK, rng, DECAY, shown)
    wide = lambda rows: rows[:, :, None].expand(-1, -1, taps.shape[-1])
    rows = weights > 0
    teacher = taps[:, :, TAPS.index("output")].gather(1, wide(places))[rows].to(device)
    # a mask is told what chose the last known id
    begun = anchors.repeat_interleave(K - 1, 1)
    taps = torch.cat([taps, taps.gather(1, begun[:, :, None, None].expand(-1, -1, *taps.shape[2:]))], 1)
    if blind: taps = torch.zeros_like(taps)
    with torch.autocast(device, dtype=torch.bfloat16):
        hidden = model.hidden(fed.to(device), positions.to(device), mask.to(device), taps.to(device), rows.to(device))
    labels, w = place[ids.gather(1, places)[rows]].to(device), weights[rows].to(device)
    far = ((hidden - teacher.float()).pow(2).mean(-1) * w).sum() / w.sum()
    return HeadLoss.apply(hidden, teacher, model.head, w) + NEAR * far, hidden, rows, labels, anchors


@torch.no_grad()
def held_out():
    """Accuracy of the best id at every place of a draft, and the mean length of the run of right ones, over unseen answers."""
    right, valid = [], []
    for at in range(0, a.held_out, 20):
        _, hidden, rows, labels, anchors = loss_of(np.arange(at, at + 20), 8, 24)
        best = torch.cat([(h.bfloat16() @ model.head.t()).argmax(-1) for h in hidden.split(512)])
        hit = torch.zeros(rows.shape, dtype=torch.bool)
        hit[rows] = (best == labels).cpu()
        T = rows.shape[1] - anchors.shape[1] * 7
        draft = lambda v: torch.cat([v[:, :T].gather(1, anchors)[:, :, None], v[:, T:].view(len(v), -1, 7)], 2).view(-1, 8)
        right.append(draft(hit)); valid.append(draft(rows))
    right, valid = torch.cat(right), torch.cat(valid)
    whole = valid.all(1)
    return {"accuracy": [round(v, 3) for v in ((right & valid).sum(0) / valid.sum(0)).tolist()], "run": round((right & valid)[whole].cumprod(1).sum(1).float().mean().item(), 3)}


begin, first = time.time(), step
log = open(a.work / (a.out + ".log"), "a")
while True:
    spent = resumed + (time.time() - begin) / 60
    done = spent / a.minutes
    if done >= 1: break
    K = int(rng.choice(LENGTHS, p=SHARES))
    at = int(rng.integers(0, len(order) - a.batch))
    loss, *_ = loss_of(order[at:at + a.batch], K, a.positions // (K - 1), not a.alone and rng.random() < BLIND, SHOWN if a.alone else 0)
    optimiser.zero_grad(); loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step(min(1, (step + 1) / 60) * min(1, max(0.02, (1 - done) / 0.7))); step += 1
    if step % 20 == 0:
        row = {"step": step, "minutes": round(spent, 2), "loss": round(loss.item(), 4), "secondsPerStep": round((time.time() - begin) / (step - first), 2)}
        if step % 100 == 0:
            row |= held_out()
            torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "minutes": spent}, out)
        print(json.dumps(row), file=log, flush=True)
row = {"step": step, "minutes": round(spent, 2), **held_out()}
print(json.dumps(row), file=log, flush=True)
torch.save({"model": model.state_dict(), "step": step, "minutes": spent}, out)
