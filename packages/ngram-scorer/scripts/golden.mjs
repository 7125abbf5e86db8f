/**
 * Makes the golden files of this package with KenLM's own programs:
 *
 *   node packages/ngram-scorer/scripts/golden.mjs DIR
 *
 * DIR holds lmplz, build_binary and query, built elsewhere. Nothing of KenLM is kept but what its programs print. Corpora
 * come from this repository's own text once and are then kept beside the results, so that the tests do not move with it:
 * pass --corpora to take them anew.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const golden = fileURLToPath(new URL("../golden/", import.meta.url));
const [programs] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
if (!programs || !existsSync(join(programs, "lmplz"))) {
  console.error(
    "usage: node packages/ngram-scorer/scripts/golden.mjs DIR (with lmplz, build_binary and query) [--corpora]",
  );
  process.exit(2);
}

/** Which models are compared: corpus, order, pruning. Only the tiny corpora need the fallback. */
const MODELS = [
  ...[1, 2, 3, 5].map((order) => ({ corpus: "words", order })),
  { corpus: "words", order: 4, prune: [0, 1] },
  ...[2, 6].map((order) => ({ corpus: "code", order })),
  { corpus: "code", order: 5, prune: [0, 0, 1, 2] },
  ...[1, 2, 3, 4, 5, 6].map((order) => ({ corpus: "tiny", order, fallback: [0.5, 1, 1.5] })),
  { corpus: "zero", order: 6, prune: [0, 1, 1], fallback: [0.5, 1, 1.5] },
  { corpus: "tiny", order: 3, prune: [0, 1], fallback: [0.25, 0.75, 1.25] },
];
/** The model whose probing binary and query results are kept. */
const ASKED = { corpus: "code", order: 4, prune: [0, 0, 1] };
const SENTENCES = 1200;

const corpora = {
  words: () => {
    const text = ["README.md", "docs/log.md", "packages/ngram-scorer/README.md", "CONTRIBUTING.md"]
      .map(read)
      .join("\n");
    const sentences = text.replace(/```[\s\S]*?```/g, "\n").split(/[.:;!?|]\s|\n\s*\n/);
    return sentences.map((s) => (s.toLowerCase().match(/[a-z]+(?:'[a-z]+)?/g) ?? []).join(" ")).filter(Boolean);
  },
  code: () => {
    const folder = "packages/contracts/src/";
    const files = readdirSync(join(root, folder)).filter((name) => /^[^.]+\.ts$/.test(name));
    const ids = new Map();
    const id = (piece) => ids.get(piece) ?? ids.set(piece, ids.size).get(piece);
    const lines = files.sort().flatMap((name) => read(folder + name).split("\n"));
    const code = lines.filter((line) => !/^\s*(\/?\*|\/\/)/.test(line));
    return code.map((line) => (line.match(/\w+|[^\s\w]/g) ?? []).map(id).join(" ")).filter(Boolean);
  },
  tiny: () => ["a b a b c", "b a", "", "a", "c c c c"],
  /** A discount of 0 comes out, which lmplz takes as it is. */
  zero: () => ["b a a a", "a a a a a b a a a a", "a a a a a a a b b a a"],
};

mkdirSync(golden, { recursive: true });
const work = mkdtempSync(join(tmpdir(), "golden-"));
try {
  for (const [name, make] of Object.entries(corpora))
    if (process.argv.includes("--corpora") || !existsSync(join(golden, `${name}.txt.gz`)))
      keep(`${name}.txt.gz`, `${make().slice(0, 420).join("\n")}\n`);
  const index = MODELS.map((model) => ({ ...model, file: `${nameOf(model)}.arpa.gz` }));
  for (const model of index) keep(model.file, compact(estimate(model)));
  const asked = askedFor(ASKED);
  writeFileSync(join(golden, "index.json"), `${JSON.stringify({ models: index, asked }, null, 1)}\n`);
} finally {
  rmSync(work, { recursive: true });
}

function read(path) {
  return readFileSync(join(root, path), "utf8");
}

function keep(file, content) {
  writeFileSync(join(golden, file), gzipSync(content, { level: 9 }));
}

function nameOf({ corpus, order, prune }) {
  return `${corpus}-${order}${prune ? `-prune${prune.join("")}` : ""}`;
}

function corpusOf({ corpus }) {
  return gunzipSync(readFileSync(join(golden, `${corpus}.txt.gz`)));
}

function estimate(model) {
  const options = ["-o", model.order, "-S", "64M", "-T", join(work, "t"), "--vocab_estimate", "10000"];
  if (model.prune) options.push("--prune", ...model.prune);
  if (model.fallback) options.push("--discount_fallback", ...model.fallback);
  return execFileSync(join(programs, "lmplz"), options.map(String), {
    input: corpusOf(model),
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 2 ** 30,
  }).toString();
}

/** The same ARPA, n-grams in order of their words and numbers to 6 decimals: compresses to a third. */
function compact(arpa) {
  const rounded = (number) => String(Number(Number(number).toFixed(6)));
  const sections = arpa.split("\n\n").map((section) => {
    const [head, ...lines] = section.split("\n");
    if (!/^\\\d+-grams:/.test(head)) return section;
    const rows = lines.map((line) => line.split("\t")).sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
    return [head, ...rows.map(([p, words, b]) => [rounded(p), words, ...(b ? [rounded(b)] : [])].join("\t"))].join(
      "\n",
    );
  });
  return sections.join("\n\n");
}

/** Sentences cut from the corpus and from a seeded walk over its words, some unknown, and what query says of each word. */
function askedFor(model) {
  const lines = corpusOf(model).toString().trim().split("\n");
  const words = lines.join(" ").split(" ");
  let state = 1;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const sentences = Array.from({ length: SENTENCES }, () => {
    const from = random(words.length - 12);
    const cut = words.slice(from, from + 2 + random(8));
    for (let edits = random(3); edits > 0; edits--)
      cut[random(cut.length)] = random(5) === 0 ? "never" : words[random(words.length)];
    return cut.join(" ");
  });
  const arpa = join(work, "model.arpa");
  const binary = join(work, "model.bin");
  writeFileSync(arpa, estimate(model));
  execFileSync(join(programs, "build_binary"), ["probing", arpa, binary], { stdio: "inherit" });
  const input = `${sentences.join("\n")}\n`;
  const said = execFileSync(join(programs, "query"), ["-v", "word", binary], { input, maxBuffer: 2 ** 28 }).toString();
  // query -v word puts all words in one line, each as word=id length log10, and </s> after every sentence
  const scores = said
    .split(/(?<=\t<\/s>=[^\t]*)\t/)
    .filter(Boolean)
    .map((words) =>
      words
        .split("\t")
        .map((word) => Number(Number(word.split(" ").at(-1)).toFixed(6)))
        .join(" "),
    );
  const name = nameOf(model);
  keep(`${name}.bin.gz`, readFileSync(binary));
  keep(`${name}.query.gz`, sentences.map((sentence, i) => `${sentence}\t${scores[i]}`).join("\n"));
  const heads = {};
  for (const kind of ["trie", "-q 8 trie", "-a 22 trie", "-q 8 -a 22 trie"]) {
    execFileSync(join(programs, "build_binary"), [...kind.split(" "), arpa, binary], { stdio: "inherit" });
    heads[kind] = readFileSync(binary).subarray(0, 160).toString("base64");
  }
  return { ...model, binary: `${name}.bin.gz`, query: `${name}.query.gz`, heads };
}
