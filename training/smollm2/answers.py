"""The answers as id streams for ngram.mjs: uint16, 65535 between texts. Some ids of the question lead each in.

    python answers.py WORK OUT.ids [--text text] [--held-out 100 --held-out-to HELD.ids]
"""
import argparse, pathlib
import numpy as np
from model import TAPS
from text import Text

LEAD = 5

a = argparse.ArgumentParser()
a.add_argument("work", type=pathlib.Path); a.add_argument("out", type=pathlib.Path); a.add_argument("--text", default="text")
a.add_argument("--held-out", type=int, default=100); a.add_argument("--held-out-to", type=pathlib.Path)
a = a.parse_args()
text = Text(a.work / a.text, 576, len(TAPS))


def write(file, spans):
    with open(file, "wb") as out:
        for start, end, *_ in spans:
            marks = np.flatnonzero(text.answer[start:end])
            for run in np.split(marks, np.flatnonzero(np.diff(marks) > 1) + 1):
                out.write(np.append(text.ids[start + max(0, run[0] - LEAD):start + run[-1] + 1], 65535).astype(np.uint16).tobytes())


write(a.out, text.spans[a.held_out:])
if a.held_out_to: write(a.held_out_to, text.spans[:a.held_out])
