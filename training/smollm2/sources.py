"""Plain text out of the packages that prompts are made from, each read where its archive was unpacked."""
import gzip, html.parser, json, pathlib, re


class Paragraphs(html.parser.HTMLParser):
    """The prose of one page: (heading, [paragraphs]) of every section."""

    def __init__(self):
        super().__init__()
        self.sections, self.into, self.buffer, self.skip = [["", []]], None, "", 0

    def handle_starttag(self, tag, attributes):
        if tag in ("h1", "h2", "h3", "h4") or ("class", "para") in attributes: self.into, self.buffer = tag, ""
        elif tag in ("pre", "script", "style"): self.skip += 1

    def handle_endtag(self, tag):
        if tag in ("pre", "script", "style"): self.skip -= 1
        if tag != self.into: return
        text = " ".join(self.buffer.split())
        if tag == "div": self.sections[-1][1].append(text)
        else: self.sections.append([re.sub(r"^(Chapter |Kapitel )?[\d.]+\s*", "", text), []])
        self.into = None

    def handle_data(self, data):
        if self.into and not self.skip: self.buffer += data


def handbook(folder: pathlib.Path, language):
    """(heading, paragraphs) of the sections of Debian's handbook."""
    for file in sorted((folder / language).glob("*.html")):
        page = Paragraphs(); page.feed(file.read_text(errors="replace"))
        for heading, paragraphs in page.sections:
            known = [p for p in paragraphs if len(p) > 120]
            if heading and known: yield heading, known


def foldoc(file: pathlib.Path):
    """(term, paragraphs) of the entries of the dictionary of computing."""
    with gzip.open(file, "rt", errors="replace") as f: lines = f.read().split("\n")
    term, body = None, []
    for line in [*lines, "end"]:
        if line and not line.startswith(" "):
            text = re.sub(r"\s*\([\d-]+\)\s*|<[^>]+>|[{}]|\(https?:[^)]*\)", " ", "\n".join(body))
            paragraphs = [" ".join(p.split()) for p in text.split("\n\n") if len(p) > 150 and "[" not in p]
            if term and paragraphs: yield term, paragraphs
            term, body = line.strip(), []
        else: body.append(line)


def sentences(folder: pathlib.Path):
    """Single sentences of all kinds: headlines, questions, dialogue, prose."""
    for file in sorted(folder.glob("*.json")):
        for line in json.loads(file.read_text()):
            if 25 < len(line) < 240 and "  " not in line: yield " ".join(line.split())
