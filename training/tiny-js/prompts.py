"""Held-out prompts: every one ends at the opening line of a function, with the lines before it as context.

    python prompts.py WORK OUT.jsonl [COUNT]      # one JSON string a line; round-robin over the held-out packages
"""
import collections, json, pathlib, random, re, sys
from tokenizers import Tokenizer

work, out, count = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 72
tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
rng = random.Random(7)
OPENING = re.compile(r"(function\b.*|\)\s*=>|^\s+(async )?\w+\([^()]*\))\s*\{$")
TESTS = re.compile(r"\b(describe|it|test|expect|assert)\b\s*\(")
by_package = collections.defaultdict(list)
for package, path, text in json.loads((work / "heldout.json").read_text()):
    lines = text.split("\n")
    ends = [i for i, line in enumerate(lines) if OPENING.search(line) and not re.search(r"\b(if|for|while|switch|catch)\b", line)]
    rng.shuffle(ends)
    for end in ends[:2]:
        begin = max(0, end - rng.randint(5, 14))
        prompt = "\n".join(lines[begin:end + 1]) + "\n"
        if 48 <= len(tokenizer.encode(prompt).ids) <= 200 and not TESTS.search(prompt): by_package[package].append(prompt)
chosen, seen = [], set()
queues = {name: rng.sample(rows, len(rows)) for name, rows in sorted(by_package.items())}
while len(chosen) < count and any(queues.values()):
    for name, rows in queues.items():
        if rows and len(chosen) < count:
            prompt = rows.pop()
            if prompt not in seen: seen.add(prompt); chosen.append(prompt)
out.write_text("".join(json.dumps(p) + "\n" for p in chosen))
print(len(chosen), "prompts from", len(queues), "packages:", ", ".join(queues))
