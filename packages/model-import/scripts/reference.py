"""What transformers (PyTorch, float32) makes of a GGUF file: greedy continuations and their logits, for compare.mjs.

    python reference.py MODEL.gguf WORK

WORK/prompts.json holds lists of ids. Written are WORK/reference.json (ids, margin between the two best logits) and
WORK/logits.N.f32 [tokens, vocabulary] for every prompt.
"""
import json, pathlib, sys
import gguf, numpy as np, torch
from transformers import AutoModelForCausalLM

TOKENS = 64
source, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
model = AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, torch_dtype=torch.float32).eval()
# A file without output.weight has tied embeddings; this version of the library would draw a random head instead.
if not any(tensor.name == "output.weight" for tensor in gguf.GGUFReader(source).tensors):
    model.lm_head.weight = model.model.embed_tokens.weight
out = []
with torch.inference_mode():
    for n, prompt in enumerate(json.loads((work / "prompts.json").read_text())):
        ids, past, fed, logits = list(prompt), None, torch.tensor([prompt]), []
        for _ in range(TOKENS):
            run = model(fed, past_key_values=past, use_cache=True)
            past, row = run.past_key_values, run.logits[0, -1]
            logits.append(row.numpy())
            ids.append(int(row.argmax()))
            fed = torch.tensor([[ids[-1]]])
        logits = np.stack(logits)
        best = np.sort(logits, 1)[:, -2:]
        logits.astype("<f4").tofile(work / f"logits.{n}.f32")
        out.append({"ids": ids[len(prompt):], "margins": [float(v) for v in best[:, 1] - best[:, 0]]})
        print(n, flush=True)
(work / "reference.json").write_text(json.dumps(out))
