"""Byte-level BPE of 4,096 ids in Hugging Face's tokenizer.json format, and the corpus as id streams.

    python tokenizer.py WORK     # reads WORK/{train,heldout}.json
                                 # writes WORK/tokenizer.json, WORK/{train,heldout}.bin (uint16, documents begin with <|end|>)
"""
import json, pathlib, random, sys
import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 4096
END, MASK = 0, 1   # <|end|> separates documents and ends a text; <|mask|> is the drafter's

work = pathlib.Path(sys.argv[1])
docs = {split: json.loads((work / f"{split}.json").read_text()) for split in ("train", "heldout")}

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Digits(individual_digits=True),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
tokenizer.decoder = decoders.ByteLevel()
sample = random.Random(1).sample(docs["train"], 4000)
tokenizer.train_from_iterator((d[2] for d in sample), trainers.BpeTrainer(
    vocab_size=VOCABULARY, special_tokens=["<|end|>", "<|mask|>"], show_progress=False,
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
tokenizer.save(str(work / "tokenizer.json"))

for split, rows in docs.items():
    ids = []
    for encoding in tokenizer.encode_batch([d[2] for d in rows]):
        ids.append(END); ids.extend(encoding.ids)
    np.array(ids, dtype=np.uint16).tofile(work / f"{split}.bin")
    print(split, len(ids), "tokens", round(sum(len(d[2].encode()) for d in rows) / len(ids), 3), "bytes per token")
