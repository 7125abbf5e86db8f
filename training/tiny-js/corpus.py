"""Corpus: unminified JavaScript and TypeScript sources of permissively licensed npm packages.

    python corpus.py pin  NAMES_FILE TARBALLS   # once: write packages.json (name, version, licence, split)
    python corpus.py fetch TARBALLS             # npm pack every pinned package
    python corpus.py build TARBALLS WORK        # WORK/{train,heldout}.json: [[package, path, text], ...]

Held-out packages take no part in the tokenizer, the target, the drafter or the n-gram; files of theirs
that share more than a fifth of their five-line shingles with the training side are dropped.
"""
import hashlib, json, pathlib, random, re, subprocess, sys, tarfile

HERE = pathlib.Path(__file__).parent
PERMISSIVE = {"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD", "Unlicense", "(MIT OR Apache-2.0)"}
HELD_OUT = {"underscore", "express", "commander", "superagent", "matter-js", "knex", "immutable", "recast", "rbush",
            "papaparse", "luxon", "sinon", "d3-hierarchy", "jszip", "koa", "cheerio", "nunjucks", "tape"}
SKIP_DIRS = re.compile(r"/(dist|build|umd|cjs|node_modules|locale|locales|i18n|lang|vendor|deno)/")
COMPILED = re.compile(r"__esModule|_interopRequire|__awaiter|__webpack_require__|_createClass\(|__extends\(|_classCallCheck\(")
MAX_PACKAGE_CHARS = 1_600_000   # so that no single package sets the style
SHINGLE_LINES = 5


def read_package(path):
    """(manifest, [(member, text)]) of one tarball; only plain files are read."""
    files, manifest = [], {}
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            if not member.isfile() or member.size > 120_000: continue
            if member.name.count("/") == 1 and member.name.endswith("/package.json"):
                manifest = json.load(tar.extractfile(member))
            elif wanted(member.name):
                try: files.append((member.name, tar.extractfile(member).read().decode("utf8")))
                except UnicodeDecodeError: pass
    return manifest, sorted(files)


def wanted(name):
    if not name.endswith((".js", ".ts", ".mjs")) or name.endswith(".d.ts") or ".min." in name: return False
    return not SKIP_DIRS.search("/" + name.split("/", 1)[-1])


def clean(text):
    """The text as it is learnt, or None when it is minified, compiled, tiny or huge."""
    text = re.sub(r"//# sourceMappingURL.*", "", text.replace("\r\n", "\n")).replace("\t", "  ").lstrip("\ufeff")
    lines = text.split("\n")
    if not 300 <= len(text) <= 60_000 or max(map(len, lines)) > 240 or len(text) / len(lines) > 70: return None
    if COMPILED.search(text) or sum(ord(c) > 126 for c in text) > len(text) * 0.01: return None
    return text.strip() + "\n"


def shingles(text):
    lines = [l.strip() for l in text.split("\n") if len(l.strip()) > 3]
    return {hashlib.md5("\n".join(lines[i:i + SHINGLE_LINES]).encode()).digest()[:8] for i in range(max(1, len(lines) - SHINGLE_LINES + 1))}


def pin(names_file, tarballs):
    rows = []
    for path in sorted(pathlib.Path(tarballs).glob("*.tgz")):
        manifest, _ = read_package(path)
        licence = manifest.get("license")
        if isinstance(licence, dict): licence = licence.get("type")
        if licence not in PERMISSIVE: print("left out:", path.name, licence); continue
        rows.append({"name": manifest["name"], "version": manifest["version"], "licence": licence,
                     "split": "heldout" if manifest["name"] in HELD_OUT else "train"})
    (HERE / "packages.json").write_text("[\n" + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]\n")
    print(len(rows), "packages pinned")


def fetch(tarballs):
    pathlib.Path(tarballs).mkdir(parents=True, exist_ok=True)
    for row in json.loads((HERE / "packages.json").read_text()):
        subprocess.run(["npm", "pack", "--silent", f"{row['name']}@{row['version']}"], cwd=tarballs, check=True, stdout=subprocess.DEVNULL)


def build(tarballs, work):
    pinned = {(r["name"], r["version"]): r["split"] for r in json.loads((HERE / "packages.json").read_text())}
    found, raw = set(), {"train": [], "heldout": []}
    for path in sorted(pathlib.Path(tarballs).glob("*.tgz")):
        manifest, files = read_package(path)
        key = (manifest.get("name"), manifest.get("version"))
        if key not in pinned or key in found: continue
        found.add(key)
        docs = [(key[0], name, text) for name, raw_text in files if (text := clean(raw_text))]
        random.Random(key[0]).shuffle(docs)
        chars = 0
        for doc in docs:
            chars += len(doc[2])
            if chars > MAX_PACKAGE_CHARS: break
            raw[pinned[key]].append(doc)
    missing = set(pinned) - found
    if missing: sys.exit(f"missing tarballs, run fetch first: {sorted(missing)[:5]}")
    seen = set()
    for split, limit in (("train", 0.5), ("heldout", 0.2)):
        kept, known = [], seen if split == "train" else set(seen)
        random.Random(0).shuffle(raw[split])
        for doc in raw[split]:
            marks = shingles(doc[2])
            if len(marks & known) > limit * len(marks): continue
            known |= marks
            kept.append(doc)
        pathlib.Path(work, f"{split}.json").write_text(json.dumps(kept))
        print(split, len(kept), "files", sum(len(d[2]) for d in kept) / 1e6, "MB", len({d[0] for d in kept}), "packages")


if __name__ == "__main__":
    {"pin": pin, "fetch": fetch, "build": build}[sys.argv[1]](*sys.argv[2:])
