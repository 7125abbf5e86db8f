"""Lengths, in ids, of the target's continuations: what generate.py writes and the others read."""

PROMPTS, NEW = (48, 80, 120, 192), 128
