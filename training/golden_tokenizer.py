"""Reference ids for the tokenizer tests, by the Rust tokenizers library.

    python golden_tokenizer.py TOKENIZER.json OUT.json

Writes [[text, [id, ...]], ...]. Special pieces in a text are encoded as plain text, none are added. Lone surrogates do not
exist in Rust strings, so they have no reference.
"""
import json, random, sys
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.encode_special_tokens = True

texts = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r", "\t", "\t\t x", " \n ", "a", " a", "  a", "a ", "a  ", "a \n b", "\u00a0", "\u00a0\u00a0x", "x \u00a0 y",
    "\ufeff", "\ufeffconst x", "a\ufeffb", "a \ufeff b", "\u0085", "a\u0085\u0085b", " \u0085x", "\u2028\u2029", "\u3000x", "\u180e", "\u200b \u200b", "a\u1680b", "\x0b\x0c\x1c\x1d\x1e\x1fz", "\x00", "a\x00b\x7f",
    "hello world", "Hello, World!", "it's we're I'll I'd they've I'm don't 'S 'sX", "snake_case camelCase SCREAMING_CASE $dollar #hash @at",
    "0", "12", "007", "3.14159", "1e10", "0xFF", "1_000_000", "a1b2", "x 1 y", "  42", "v1.2.3-beta.4", "\u0661\u0662\u0663", "\u00b2 x\u00b3", " \u00bd", "\u2167 \u216b", "\u3007\u4e00\u4e8c", "\U0001d7ce\U0001d7cf", "\u2460\u2461", " \u0967",
    "caf\u00e9", "cafe\u0301", "na\u00efve \u00fcber stra\u00dfe", "\u4f60\u597d\uff0c\u4e16\u754c", "\u3053\u3093\u306b\u3061\u306f", "\uc548\ub155\ud558\uc138\uc694", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u0645\u0631\u062d\u0628\u0627", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u05e9\u05dc\u05d5\u05dd",
    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", " \U0001f680 ", "a\U0001f600b", "\u2764\ufe0f", "\U00020000\U00020001", "\ufffd", "\uffff", "\U0010ffff", "\ue000",
    "<|end|>", "<|mask|>", "a<|end|>b", "<|end|><|end|>", " <|end|> ", "<|end|", "<|endoftext|>", "<|mask|>;", "<s></s>[INST]<unk>", "\u0120\u0120", "\u010a", "\u0100\u0101",
    "function add(a, b) {\n  return a + b;\n}\n", "const x = y => ({ ...y, z: [1, 2, 3] });", "import fs from 'node:fs';\r\n\r\nexport default async function* () {}\r\n",
    "/** @param {string} s */\n\tif (s === \"\\n\") return `${s}\\u{1F600}`;\n", "// eslint-disable-next-line\n\n\n    else if (!a || b && c ?? d) { }", "x=>{y+=1;z--;w**=2;v>>>=3}", "/[^\\s\\p{L}]+/gu.test('\u00e9')",
    "                                        deep", "\t\t\t\t}", "a\n\n\n\n\nb", "a \t \t b", "-----=====*****", "....", "!!!???", "\"\"\"'''```", "((((()))))", "\\\\\\\\", "&&||!=", "\u2014\u2026\u201cquoted\u201d",
    "a" * 300, " " * 300, "ab" * 100, "1" * 60, "\n" * 50, "\u00e9" * 40,
]
rng = random.Random(7)
alphabet = list(" \n\t\r'\"<|>end0129abcXYZ_.,;(){}[]=+-*/\\") + ["\u00e9", "\u00a0", "\ufeff", "\u0085", "\u3000", "\u00b2", "\u0661", "\U0001f600", "\u0301", "\u4f60", "'s", "  ", "\r\n", "function ", "const ", "<|end|>"]
texts += ["".join(rng.choice(alphabet) for _ in range(rng.randint(1, 40))) for _ in range(400)]

rows = [[text, tokenizer.encode(text, add_special_tokens=False).ids] for text in texts]
for text, ids in rows:
    assert tokenizer.decode(ids, skip_special_tokens=False) == text, repr(text)
with open(sys.argv[2], "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")
print(len(rows), "texts")
