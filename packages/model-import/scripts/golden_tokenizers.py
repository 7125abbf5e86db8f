"""Writes test/golden/tokenizers.json: a small byte-level vocabulary whose merges cross every boundary, and the ids the
reference library gives with each pre-tokenizer that GGUF names. The patterns are those of the models' own files.

    python golden_tokenizers.py            needs tokenizers
"""
import json, pathlib
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).parent / "../test/golden/tokenizers.json"
TEXTS = ["Hello, world!  I'LL say it's 12345 times\n\n\tThen stop.", "naïve café — “quoted” 漢字 🙂 x", "for (let i = 0; i < 10; i++) {\r\n  a[i]+=2; }", "  lead and trail  ", "1,234.5 + ½ = ²٣",
         "don't DON'T we'Re", "e\u0301 is é", "", " ", "\n\n\n  x"]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
split = lambda pattern: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
PRE = {"gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False), "qwen2": split(QWEN), "llama-bpe": split(LLAMA3),
       "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])}

base = Tokenizer(models.BPE())
base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
base.train_from_iterator([t for t in TEXTS for _ in range(3)], trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=1, show_progress=False))
file = json.loads(base.to_str())["model"]
tokens = [p for p, _ in sorted(file["vocab"].items(), key=lambda x: x[1])]
merges = [m if isinstance(m, str) else " ".join(m) for m in file["merges"]]
ids = {}
for name, pre in PRE.items():
    t = Tokenizer(models.BPE(vocab=file["vocab"], merges=[tuple(m.split(" ")) for m in merges], ignore_merges=name == "llama-bpe"))
    t.pre_tokenizer = pre
    if name == "qwen2": t.normalizer = normalizers.NFC()
    ids[name] = [t.encode(text, add_special_tokens=False).ids for text in TEXTS]
OUT.write_text(json.dumps({"tokens": tokens, "merges": merges, "texts": TEXTS, "ids": ids}, separators=(",", ":"), ensure_ascii=False) + "\n")
print(len(tokens), OUT.stat().st_size)
