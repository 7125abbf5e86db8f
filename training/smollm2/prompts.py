"""What the target is asked, so that it writes the drafter's training text: questions of Spec-Bench's six kinds that are not in
Spec-Bench. A prompt is a list of user turns; None stands for a turn that the target writes itself.

Sources: GSM8K's train split, WikiText-2's valid and test text, sentences of Debian's fortunes-de, and the target.
"""
import json, pathlib, re

SYSTEM = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
USER, ASSISTANT, END = "<|im_start|>user\n", "<|im_start|>assistant\n", "<|im_end|>\n"
SHARES = {"own": 0.36, "math": 0.22, "summary": 0.1, "rag": 0.1, "translation": 0.1, "qa": 0.12}
FOLLOW_UPS = (
    "Rewrite your previous response in fewer words.", "Can you give an example?", "Explain that to a child.", "Now say the same as a list of bullet points.",
    "What would be the strongest argument against this?", "Why is that so?", "Turn your answer into a short poem.", "Check your answer and correct it where it is wrong.",
    "What should I read to learn more about it?", "How would you do it differently with half the time?", "Write a title for your answer.", "Add one more point.",
)
QUESTIONS = ("who was {}?", "what is {}?", "when did {} begin?", "where is {}?", "what is {} known for?", "how did {} end?", "why is {} important?", "who made {}?")


def passages(folder):
    """(title, paragraphs) of every article."""
    text = "".join(p.read_text() for p in sorted(folder.glob("*.txt")))
    text = re.sub(r" @([-,.])@ ", r"\1", text).replace(" ,", ",").replace(" .", ".").replace(" 's", "'s").replace("( ", "(").replace(" )", ")").replace(" ;", ";")
    parts = re.split(r"\n = ([^=\n]+) = \n", text)
    for title, body in zip(parts[1::2], parts[2::2]):
        known = [" ".join(s for s in re.split(r"(?<=[.!?]) ", p.strip()) if "<unk>" not in s) for p in body.split("\n") if not p.strip().startswith("=")]
        paragraphs = [p for p in known if len(p) > 200]
        if paragraphs and "<unk>" not in title: yield title.strip(), paragraphs


def german(folder):
    for file in sorted(folder.iterdir()):
        if file.suffix or not file.is_file(): continue
        for saying in re.split(r"\n%+\n", file.read_bytes().decode("utf-8", "replace")):
            line = " ".join(saying.split("--")[0].split())
            if 30 < len(line) < 220 and "�" not in line and re.search(r"\b(der|die|das|und|nicht|ist|ein)\b", line): yield line


def clip(text, most):
    """Whole sentences of at most so many characters, at least one."""
    out = ""
    for sentence in re.split(r"(?<=[.!?]) ", text):
        if out and len(out) + len(sentence) > most: break
        out += (" " if out else "") + sentence
    return out[:most]


class Prompts:
    def __init__(self, data: pathlib.Path, fortunes: pathlib.Path, rng):
        self.rng = rng
        self.math = [json.loads(line)["question"] for line in next(data.glob("gsm8k/*.jsonl")).open()]
        self.articles = list(passages(data / "wikitext-2"))
        self.german = list(german(fortunes))

    def pick(self, values): return values[int(self.rng.integers(len(values)))]

    def next(self):
        """(kind, user turns)."""
        kind = str(self.rng.choice(list(SHARES), p=list(SHARES.values())))
        turns = [getattr(self, "ask_" + kind)()]
        if kind == "own" and self.rng.random() < 0.35: turns.append(self.pick(FOLLOW_UPS))
        return kind, turns

    def ask_own(self): return None

    def ask_translation(self): return "Translate German to English: " + self.pick(self.german)

    def ask_qa(self): return self.pick(QUESTIONS).format(self.pick(self.articles)[0]) if self.rng.random() < 0.5 else None

    def ask_summary(self):
        return "Summarize: " + clip(" ".join(self.pick(self.articles)[1]), int(self.rng.integers(500, 1400)))

    def ask_rag(self):
        title, paragraphs = self.pick(self.articles)
        other = self.pick(self.articles)[1]
        texts = [clip(self.pick(paragraphs), int(self.rng.integers(250, 600))), clip(self.pick(other), 400)]
        if self.rng.random() < 0.5: texts.reverse()
        return "\n\n".join(texts) + "\n\n" + self.pick(QUESTIONS).format(title)

    def ask_math(self): return self.pick(self.math)
