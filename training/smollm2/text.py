"""The conversations that generate.py wrote, and batches of them."""
import json, pathlib
import numpy as np, torch

LONGEST, PROMPT = 352, 64   # ids of a training sequence; of longer conversations the end; ids before the first answer, as many as a draft reads


class Text:
    def __init__(self, folder: pathlib.Path, width, taps):
        lines = [json.loads(line) for line in (folder / "conversations.jsonl").open()]
        self.ids = np.memmap(folder / "ids.u16", np.uint16, "r"); self.answer = np.memmap(folder / "answer.u8", np.uint8, "r")
        self.taps = np.memmap(folder / "taps.f16", np.float16, "r").reshape(-1, taps, width)
        ends, tap_ends = np.cumsum([c["ids"] for c in lines]), np.cumsum([c["answer"] for c in lines])
        whole = (ends <= len(self.ids)) & (tap_ends <= len(self.taps))   # a stopped run may have lost its last
        self.spans = [(int(e - c["ids"]), int(e), int(t - c["answer"]), int(t)) for c, e, t, ok in zip(lines, ends, tap_ends, whole) if ok and c["answer"] >= 8]
        begins = [int(a + np.argmax(self.answer[a:b])) for a, b, _, _ in self.spans]
        self.starts = [max(a, b - LONGEST, first - PROMPT) for (a, b, _, _), first in zip(self.spans, begins)]
        self.kinds = [c["kind"] for c, ok in zip(lines, whole) if ok and c["answer"] >= 8]

    def frequent(self, count):
        """The ids that answers have most often, sorted; ids of end and newline are among them."""
        end = self.spans[-1][1]
        counts = np.bincount(self.ids[:end][self.answer[:end].astype(bool)], minlength=65536)
        return torch.from_numpy(np.sort(np.argsort(-counts, kind="stable")[:count]).astype(np.int64))

    def batch(self, chosen):
        """ids [B, T], answer [B, T] (1 where the target chose the id), taps [B, T, taps, width] bf16, zero elsewhere."""
        cuts = [(self.starts[i], self.spans[i][1], self.spans[i][3]) for i in chosen]
        T = max(b - a for a, b, _ in cuts)
        ids, answer = torch.zeros(len(cuts), T, dtype=torch.long), torch.zeros(len(cuts), T, dtype=torch.bool)
        taps = torch.zeros(len(cuts), T, *self.taps.shape[1:], dtype=torch.bfloat16)
        for i, (a, b, t) in enumerate(cuts):
            ids[i, :b - a] = torch.from_numpy(self.ids[a:b].astype(np.int64))
            answer[i, :b - a] = torch.from_numpy(self.answer[a:b].astype(bool))
            count = int(answer[i].sum())
            taps[i][answer[i]] = torch.from_numpy(np.clip(self.taps[t - count:t], -3e4, 3e4)).bfloat16()
        return ids, answer, taps


def blocks(ids, answer, K, count, mask_id, rng, decay, shown=0.0):
    """Drafts of K ids behind `count` places of every answer. The row of the last known id, which is in the text, drafts the
    first; K - 1 masks behind it draft one each. In a share `shown` of the blocks any number of masks are the ids themselves,
    as in the later steps of a refinement. Gives ids, positions and the attention mask of text and masks together, where
    in the text the id stands that each draft begins behind [B, count], and for every row the place of the id that it drafts
    and a weight, 0 where there is none."""
    B, T = ids.shape
    K -= 1
    L = T + count * K
    seen = torch.zeros(B, L, L, dtype=torch.bool)
    seen[:, :T, :T] = torch.ones(T, T).tril().bool()
    positions, steps = torch.arange(T).repeat(B, 1), torch.arange(K)
    anchors = torch.zeros(B, count, dtype=torch.long)
    for i in range(B):
        inside = np.flatnonzero(answer[i, 1:].numpy())[:-2]
        anchors[i] = torch.from_numpy(np.sort(rng.choice(inside, count, replace=len(inside) < count)))
        for j, anchor in enumerate(anchors[i].tolist()):
            s = T + j * K
            seen[i, s:s + K, :anchor + 1] = True; seen[i, s:s + K, s:s + K] = True
    at = anchors[:, :, None] + 1 + steps                       # of the masks; each drafts the id behind it
    fits = (at + 1).clamp(max=T - 1)
    known = ((at + 1 < T) & answer.gather(1, fits.flatten(1)).view_as(fits)).cumprod(2)
    first = torch.cat([answer[:, 1:].float(), torch.zeros(B, 1)], 1)
    places = torch.cat([(torch.arange(T) + 1).clamp(max=T - 1).repeat(B, 1), fits.flatten(1)], 1)
    weights = torch.cat([first, (known * decay ** (1 + steps)).flatten(1)], 1)
    open_ = torch.rand(B, count, K) < torch.rand(B, count, 1) * (torch.rand(B, count, 1) < shown)
    block = torch.where(open_, ids.gather(1, at.clamp(max=T - 1).flatten(1)).view_as(at), mask_id)
    weights[:, T:] *= ~torch.cat([open_[:, :, 1:], torch.zeros(B, count, 1, dtype=torch.bool)], 2).flatten(1)
    fed = torch.cat([ids, block.flatten(1)], 1)
    mask = torch.zeros(B, 1, L, L).masked_fill(~seen[:, None], -1e9)
    return fed, torch.cat([positions, at.flatten(1)], 1), mask, anchors, places, weights
