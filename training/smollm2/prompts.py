"""What the target is asked, so that it writes the drafter's training text: questions of Spec-Bench's six kinds that are not in
Spec-Bench. A prompt is a list of user turns; None stands for a turn that the target writes itself.

Sources, as the unpacked archives hold them: GSM8K's train split, WikiText-2's valid and test text, Debian's packages
debian-handbook and dict-foldoc, npm's nlp-corpus, and the target itself.
"""
import json, pathlib, re
from sources import foldoc, handbook, sentences

SYSTEM = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
USER, ASSISTANT, END = "<|im_start|>user\n", "<|im_start|>assistant\n", "<|im_end|>\n"
SHARES = {"task": 0.37, "own": 0.08, "math": 0.18, "summary": 0.07, "rag": 0.1, "translation": 0.1, "qa": 0.1}
FOLLOW_UPS = (
    "Rewrite your previous response in fewer words.", "Can you give an example?", "Explain that to a child.", "Now say the same as a list of bullet points.",
    "What would be the strongest argument against this?", "Why is that so?", "Turn your answer into a short poem.", "Check your answer and correct it where it is wrong.",
    "What should I read to learn more about it?", "How would you do it differently with half the time?", "Write a title for your answer.", "Add one more point.", "Summarize what you wrote.", "Can you rephrase your answer with a metaphor in it?",
)
TASKS = (
    "Write a news article with the headline: {}", "Write a short story that begins with this sentence: {}", "Rewrite this in plain words: {}", "What does this mean? {}",
    "Reply politely to this message: {}", "Write a blog post about this: {}", "List five questions that one could ask about this: {}", "Is this true? Give reasons. {}",
    "Write a dialogue between two friends that contains this line: {}", "Describe a scene in which someone says: {}", "Write an email to a colleague about this: {}",
    "Give three arguments for and three against: {}", "Explain the background of this: {}", "Continue: {}", "Write a poem inspired by this: {}", "{}", "Correct the grammar of this text and explain the changes: {}",
    "What could have happened before this? {}", "Give advice to someone who writes: {}", "Find the people, places and things in this sentence and list them: {}", "Write a review that contains this sentence: {}",
    "Say the opposite, and explain why someone might believe it: {}", "What is the tone of this text? {}", "Plan a lesson around this: {}", "Imagine you are a detective. What do you conclude from this? {}",
)
TERM_TASKS = (
    "Explain {} to a beginner.", "Write a Python function that has to do with {}, and explain it.", "What are the advantages and disadvantages of {}?", "Write an introduction to {} for a textbook.",
    "Compare {} with {}.", "Write a quiz of five questions on {}.", "Write a short program about {} in JavaScript.", "How does {} work? Answer step by step.", "Write an advertisement for {}.", "Write a C++ class for {}.",
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


def clip(text, most):
    """Whole sentences of at most so many characters, at least one."""
    out = ""
    for sentence in re.split(r"(?<=[.!?]) ", text):
        if out and len(out) + len(sentence) > most: break
        out += (" " if out else "") + sentence
    return out[:most]


class Prompts:
    def __init__(self, data: pathlib.Path, packages: pathlib.Path, rng):
        """data: a folder with gsm8k and wikitext-2; packages: one with the unpacked debian-handbook, dict-foldoc and nlp-corpus."""
        self.rng = rng
        self.math = [json.loads(line)["question"] for line in next(data.glob("gsm8k/*.jsonl")).open()]
        book = packages / "usr/share/doc/debian-handbook/html"
        self.terms = list(foldoc(packages / "usr/share/dictd/foldoc.dict.dz"))
        self.articles = [*passages(data / "wikitext-2"), *handbook(book, "en-US")]
        self.german = [s for _, paragraphs in handbook(book, "de-DE") for p in paragraphs for s in re.split(r"(?<=[.!?]) (?=[A-ZÄÖÜ])", p) if 30 < len(s) < 260 and re.search(r"\b(der|die|das|und|nicht|ist|ein)\b", s)]
        self.sentences = list(sentences(packages / "package/builds"))
        self.asked = [s for s in self.sentences if re.match(r"(who|what|when|where|why|how|which|is|are|do|does|can)\b.*\?$", s, re.I)]

    def pick(self, values): return values[int(self.rng.integers(len(values)))]

    def next(self):
        """(kind, user turns)."""
        kind = str(self.rng.choice(list(SHARES), p=list(SHARES.values())))
        turns = [getattr(self, "ask_" + kind)()]
        if kind in ("own", "task") and self.rng.random() < 0.35: turns.append(self.pick(FOLLOW_UPS))
        return kind, turns

    def ask_own(self): return None

    def ask_task(self):
        if self.rng.random() < 0.7: return self.pick(TASKS).format(self.pick(self.sentences))
        return self.pick(TERM_TASKS).format(self.pick(self.terms)[0], self.pick(self.terms)[0])

    def ask_translation(self): return "Translate German to English: " + self.pick(self.german)

    def ask_qa(self):
        if self.rng.random() < 0.4: return self.pick(self.asked)
        return self.pick(QUESTIONS).format(self.pick(self.articles if self.rng.random() < 0.4 else self.terms)[0])

    def ask_summary(self):
        return "Summarize: " + clip(" ".join(self.pick(self.articles)[1]), int(self.rng.integers(500, 1400)))

    def ask_rag(self):
        title, paragraphs = self.pick(self.articles if self.rng.random() < 0.5 else self.terms)
        other = self.pick(self.articles if self.rng.random() < 0.5 else self.terms)[1]
        texts = [clip(self.pick(paragraphs), int(self.rng.integers(250, 600))), clip(self.pick(other), 400)]
        if self.rng.random() < 0.5: texts.reverse()
        return "\n\n".join(texts) + "\n\n" + self.pick(QUESTIONS).format(title)

    def ask_math(self): return self.pick(self.math)
