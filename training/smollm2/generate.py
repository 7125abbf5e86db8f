"""Text that the target writes, with the hidden rows that chose it: the drafter's and the n-gram's training text.

    python generate.py MODEL WORK --data DATA --packages PACKAGES --minutes 40

MODEL is the folder that `npm run smollm2` makes; DATA and PACKAGES are as prompts.py says. Answers are greedy, at most 192 ids, and are
left where they begin to loop; questions that the target writes itself are sampled at temperature 0.9 of the best 200 ids' first 95 %.
SLOTS sequences are decoded together by the target's own int8 arithmetic (batch_graph.py).

Writes to WORK (all appended to, so a stopped run goes on): ids.u16 of whole conversations; answer.u8, 1 where an id was chosen
by the target; taps.f16 [ids of answers, taps, width], the row that chose each of them; conversations.jsonl with lengths.
"""
import argparse, json, pathlib, time
import numpy as np, onnxruntime as ort
from tokenizers import Tokenizer
from batch_graph import batch_graph
from prompts import ASSISTANT, END, Prompts, SYSTEM, USER

TAPS, NEW, LONGEST = (10, 20, "output"), 192, 640
END_ID, TEMPERATURE, TOP_P = 2, 0.9, 0.95

a = argparse.ArgumentParser()
a.add_argument("model", type=pathlib.Path); a.add_argument("work", type=pathlib.Path)
a.add_argument("--data", type=pathlib.Path, required=True); a.add_argument("--packages", type=pathlib.Path, required=True)
a.add_argument("--minutes", type=float, required=True); a.add_argument("--slots", type=int, default=64); a.add_argument("--seed", type=int, default=1)
a = a.parse_args()

rng = np.random.default_rng(a.seed)
shape = json.loads((a.model / "manifest.json").read_text())["target"]
LAYERS, KV, DIM, QKV = shape["layers"], shape["kvHeads"], shape["headDim"], (shape["heads"] + 2 * shape["kvHeads"]) * shape["headDim"]
tokenizer = Tokenizer.from_file(str(a.model / "tokenizer.json"))
encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
prompts = Prompts(a.data, a.packages, rng)

options = ort.SessionOptions(); options.intra_op_num_threads, options.log_severity_level = 2, 3
session = ort.InferenceSession(str(batch_graph(a.model / shape["graphs"]["int8"]["chain"], TAPS, LAYERS)), options)
pasts = {f"{i}_{side}": np.zeros((a.slots, KV, LONGEST, DIM), np.float32) for i in range(LAYERS) for side in ("key", "value")}


def run(ids, seqlens, rows, slots, outputs):
    """ids [B, S] for these slots; the caches are written in place."""
    binding = session.io_binding()
    for name, value in (("input_ids", ids.reshape(1, -1)), ("sizes", np.array([*ids.shape, QKV], np.int64)), ("seqlens", seqlens), ("total_len", np.array(seqlens.max() + 1, np.int32)), ("rows", rows)):
        binding.bind_cpu_input(name, np.ascontiguousarray(value))
    for name, buffer in pasts.items():
        part = buffer[slots]
        for bind, prefix in ((binding.bind_input, "past_"), (binding.bind_output, "present_")):
            bind(prefix + name, "cpu", 0, np.float32, part.shape, part.ctypes.data)
    for name in outputs: binding.bind_output(name, "cpu")
    session.run_with_iobinding(binding)
    return [v.numpy() for v in binding.get_outputs()[2 * LAYERS:]]


def loops(ids):
    """Half of the last 48 ids' 4-grams came before among them."""
    grams = [tuple(ids[i:i + 4]) for i in range(len(ids) - 48, len(ids) - 3)] if len(ids) >= 48 else []
    return len(grams) > 0 and len(set(grams)) <= len(grams) / 2


class Conversation:
    """ids so far, those waiting to be fed with a mark for what the target chose, and who writes."""

    def __init__(self):
        self.kind, self.turns = prompts.next()
        self.ids, self.answer, self.taps, self.written = [], [], [], []
        self.writes = "question" if self.turns[0] is None else "answer"
        self.turn = 0
        self.wait(SYSTEM + USER + ("" if self.turns[0] is None else self.turns[0] + END + ASSISTANT))

    def wait(self, text): self.waiting = [(i, 0) for i in encode(text)]

    def feed(self, count):
        """Moves ids from waiting to the text."""
        fed, self.waiting = self.waiting[:count], self.waiting[count:]
        self.ids += [i for i, _ in fed]; self.answer += [mark for _, mark in fed]
        return [i for i, _ in fed]

    def choose(self, token, taps):
        """The target's id behind everything fed; True when the conversation is over."""
        self.written.append(token)
        if self.writes == "question":
            self.waiting = [(token, 0)]
            if token == END_ID or len(self.written) >= 72:
                self.wait(END + ASSISTANT)
                self.writes, self.written = "answer", []
            return False
        self.taps.append(taps); self.waiting = [(token, 1)]
        if token != END_ID and len(self.written) < NEW and not loops(self.written): return False
        self.feed(1); self.turn += 1
        if token != END_ID or self.turn >= len(self.turns): return True
        self.wait("\n" + USER + self.turns[self.turn] + END + ASSISTANT); self.written = []
        return len(self.ids) + len(self.waiting) + NEW > LONGEST


def sample(logits):
    best = np.argpartition(logits, -200)[-200:]
    best = best[np.argsort(-logits[best])]
    p = np.exp((logits[best] - logits[best[0]]) / TEMPERATURE); p /= p.sum()
    count = 1 + int(np.searchsorted(np.cumsum(p), TOP_P))
    return int(rng.choice(best[:count], p=p[:count] / p[:count].sum()))


def fill(slot):
    """A new conversation, all but its last id in the cache."""
    while True:
        c = Conversation()
        if len(c.waiting) + NEW + 80 <= LONGEST: break
    n = len(c.waiting) - 1
    if n: run(np.array([c.feed(n)], np.int32), np.array([n - 1], np.int32), np.array([0], np.int32), slice(slot, slot + 1), ["best"])
    return c


a.work.mkdir(parents=True, exist_ok=True)
files = {name: open(a.work / name, "ab") for name in ("ids.u16", "answer.u8", "taps.f16")}
index = open(a.work / "conversations.jsonl", "a")
begin, total, ended = time.time(), 0, 0
slots = [fill(i) for i in range(a.slots)]
while (time.time() - begin) / 60 < a.minutes:
    fed = np.array([c.feed(1) for c in slots], np.int32)
    lengths = np.array([len(c.ids) for c in slots], np.int32)
    asking = any(c.writes == "question" for c in slots)
    best, *rest = run(fed, lengths - 1, np.arange(a.slots, dtype=np.int32), slice(None), ["best", *(f"tap_{t}" for t in TAPS), *(["logits"] if asking else [])])
    taps = np.stack([t[0] for t in rest[:len(TAPS)]], 1).astype(np.float16)
    for i, c in enumerate(slots):
        if c.waiting: continue
        token = sample(rest[-1][i]) if c.writes == "question" else int(best[i])
        if not c.choose(token, taps[i]): continue
        files["ids.u16"].write(np.array(c.ids, np.uint16).tobytes()); files["answer.u8"].write(np.array(c.answer, np.uint8).tobytes()); files["taps.f16"].write(np.stack(c.taps).tobytes())
        print(json.dumps({"kind": c.kind, "ids": len(c.ids), "answer": len(c.taps)}), file=index)
        total += len(c.taps); ended += 1
        if ended % 50 == 0:
            for f in (*files.values(), index): f.flush()
            print(json.dumps({"conversations": ended, "answerIds": total, "perSecond": round(total / (time.time() - begin))}), flush=True)
        slots[i] = fill(i)
for f in (*files.values(), index): f.close()
