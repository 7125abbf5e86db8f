"""Writes test/golden/tokenizers.json: small byte-level vocabularies and the ids that the reference library gives over them to
the texts of tricky_texts.py, with each pre-tokenizer that GGUF names (the patterns are those of the models' own files).
One vocabulary was trained without any splitting, so that its merges cross every boundary a pre-tokenizer must keep; one
for each pre-tokenizer was trained the way such models are.

    python golden_tokenizers.py                              needs tokenizers
    python golden_tokenizers.py models/smollm2-135m          test/golden/smollm2-ids.json from that tokenizer.json
"""
import hashlib, json, pathlib, sys, unicodedata
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tricky_texts import TEXTS

GOLDEN = pathlib.Path(__file__).parent / "../test/golden"
CORPUS = ["Hello, world!  I'LL say it's 12345 times\n\n\tThen stop.", "naïve café — “quoted” 漢字 🙂 x", "for (let i = 0; i < 10; i++) {\r\n  a[i]+=2; }", "  lead and trail  ", "1,234.5 + ½ = ²٣", "don't DON'T we'Re", "e\u0301 is é"] + [t for t in TEXTS if len(t) < 100 and "<" not in t]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
split = lambda pattern: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), bytes_only])
PRE = {"gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False), "qwen2": split(QWEN), "llama-bpe": split(LLAMA3),
       "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])}


def vocabulary(pre, size):
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre
    base.train_from_iterator([t for t in CORPUS for _ in range(3)], trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=1, show_progress=False))
    file = json.loads(base.to_str())["model"]
    return [p for p, _ in sorted(file["vocab"].items(), key=lambda x: x[1])], [m if isinstance(m, str) else " ".join(m) for m in file["merges"]]


def reference(name, tokens, merges):
    t = Tokenizer(models.BPE(vocab={p: i for i, p in enumerate(tokens)}, merges=[tuple(m.split(" ")) for m in merges], ignore_merges=name == "llama-bpe"))
    t.pre_tokenizer = PRE[name]
    t.decoder = decoders.ByteLevel()
    if name == "qwen2": t.normalizer = normalizers.NFC()
    t.add_special_tokens(["<|im_end|>"])
    t.add_tokens([AddedToken("<tool>", normalized=False)])
    t.encode_special_tokens = True  # a special piece in a text is text
    return t


def rows(t, changed):
    ids = [t.encode(text, add_special_tokens=False).ids for text in TEXTS]
    for text, row in zip(TEXTS, ids):
        assert t.decode(row, skip_special_tokens=False) == changed(text), repr(text)
    return ids


def write(name, value):
    out = GOLDEN / name
    out.write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(name, len(TEXTS), "texts,", out.stat().st_size, "bytes")


if len(sys.argv) > 1:
    file = (pathlib.Path(sys.argv[1]) / "tokenizer.json").read_bytes()
    t = Tokenizer.from_str(file.decode())
    t.encode_special_tokens = True
    ids = [t.encode(text, add_special_tokens=False).ids for text in TEXTS]
    # Its vocabulary lacks the bytes of control characters: the reference drops them, and so its own decoding tells what stays.
    decoded = {i: text for i, row in enumerate(ids) if (text := t.decode(row, skip_special_tokens=False)) != TEXTS[i]}
    write("smollm2-ids.json", {"sha256": hashlib.sha256(file).hexdigest(), "ids": ids, "decoded": decoded})
else:
    vocabularies = {"unsplit": vocabulary(bytes_only, 900)} | {name: vocabulary(pre, 600) for name, pre in PRE.items()}
    nfc = lambda text: unicodedata.normalize("NFC", text)
    cases = [{"pre": name, "vocabulary": v, "ids": rows(reference(name, *vocabularies[v]), nfc if name == "qwen2" else str)} for name in PRE for v in ("unsplit", name)]
    write("tokenizers.json", {"texts": TEXTS, "vocabularies": {v: {"tokens": tokens, "merges": merges} for v, (tokens, merges) in vocabularies.items()}, "cases": cases})
