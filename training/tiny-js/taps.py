"""The target's hidden rows over its own continuations: what the drafter reads beside the ids.

    python taps.py WORK TEXT.npz [--target target.pt]      # writes TEXT.taps.npy, float16 [sequences, 128, taps, width]

Row i belongs to the i-th id of a continuation and is the target's hidden row one position before it: the row that
chose that id. 0.2 GB for 100,000 ids.
"""
import argparse, pathlib
import numpy as np, torch
from continuations import NEW
from model import Decoder, TAPS, WIDTH

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("text"); a.add_argument("--target", default="target.pt"); a.add_argument("--batch", type=int, default=64)
a = a.parse_args()

torch.set_num_threads(2)
device = "cuda" if torch.cuda.is_available() else "cpu"
state = torch.load(a.work / a.target, map_location=device)["model"]
model = Decoder(1 + max(int(k.split(".")[1]) for k in state if k.startswith("blocks.")))
model.load_state_dict(state); model.eval().to(device).bfloat16()
text = np.load(a.work / a.text)
ids, prompts = text["ids"].astype(np.int64), text["prompts"]
out = np.lib.format.open_memmap(a.work / (a.text.removesuffix(".npz") + ".taps.npy"), "w+", np.float16, (len(ids), NEW, len(TAPS), WIDTH))
with torch.no_grad():
    for prompt in np.unique(prompts).tolist():
        same = np.flatnonzero(prompts == prompt)
        for at in range(0, len(same), a.batch):
            chosen = same[at:at + a.batch]
            rows = model.read_taps(torch.from_numpy(ids[chosen, :prompt + NEW - 1]).to(device), slice(prompt - 1, prompt + NEW - 1))
            out[chosen] = rows.float().cpu().numpy().astype(np.float16)
out.flush()
print(out.shape)
