"""Continuations as one id stream for ngram.mjs: uint16, 65535 between sequences.

    python sequences.py OUT.ids TEXT.npz...          # prompt's last two ids and the continuation of every sequence
    python sequences.py OUT.ids corpus.bin           # a corpus, documents (which begin with id 0) apart
"""
import sys
import numpy as np
from continuations import NEW

APART = np.array([65535], np.uint16)
out = []
for name in sys.argv[2:]:
    if name.endswith(".npz"):
        text = np.load(name)
        for row, prompt in zip(text["ids"], text["prompts"]): out += [row[prompt - 2:prompt + NEW], APART]
    else:
        data = np.fromfile(name, dtype=np.uint16)
        starts = np.flatnonzero(data == 0).tolist() + [len(data)]
        for a, b in zip(starts, starts[1:]): out += [data[a:b], APART]
np.concatenate(out).astype(np.uint16).tofile(sys.argv[1])
print(sum(map(len, out)), "ids")
