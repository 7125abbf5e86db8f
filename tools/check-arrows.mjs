/**
 * Proves the arrows of the design: which package may import which, that no package reaches past an exports map, that the
 * algorithm packages touch no Node module, that only onnx-decoder touches the runtime, and that argmax is defined once.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./run.mjs";

const allowed = JSON.parse(readFileSync(join(root, "tools/arrows.json"), "utf8"));
const BROWSER = new Set(["contracts", "lattice", "ngram-scorer", "cps", "adl", "spec-loop", "drafters", "testkit"]);
const problems = [];

for (const name of readdirSync(join(root, "packages"))) {
  if (!statSync(join(root, "packages", name)).isDirectory()) continue;
  if (!(name in allowed)) problems.push(`packages/${name} has no row in tools/arrows.json`);
  for (const file of sources(join(root, "packages", name, "src"))) check(name, file);
}

function check(name, file) {
  const where = relative(root, file);
  const text = readFileSync(file, "utf8").replace(/^\s*\*.*$/gm, ""); // docs may show what code may not do
  const test = /\.test(-d)?\.ts$/.test(file);
  for (const [, from] of text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
    const ours = /^@diffuspec\/([^/]+)(\/.*)?$/.exec(from);
    const may = allowed[name] ?? [];
    if (ours && ours[1] !== name && !test && !may.includes("*") && !may.includes(ours[1]))
      problems.push(`${where} imports ${from}; ${name} may import: ${may.join(", ") || "nothing"}`);
    if (!test && ours?.[2] && ours[1] !== "drafters" && ours[2] !== "/package.json")
      problems.push(`${where} imports ${from}, past the exports map`);
    if (from.startsWith("../../") && !test) problems.push(`${where} imports ${from}, out of its package`);
    if (from.startsWith("node:") && BROWSER.has(name) && !test && !isNodeEntry(where))
      problems.push(`${where} imports ${from}; ${name} must run in a browser`);
    if (/^\.\.?\/node\.ts$/.test(from) && BROWSER.has(name) && !test)
      problems.push(`${where} imports ${from}, which is an entry of its own and needs Node`);
    if (from === "onnxruntime-node" && name !== "onnx-decoder")
      problems.push(`${where} imports onnxruntime-node; only onnx-decoder may`);
  }
  if (!test && name !== "contracts" && /function argmax\b/.test(text))
    problems.push(`${where} defines argmax; there is one, in contracts`);
}

/** The one file of a browser package that may need Node: an entry of its own, which nothing else imports. */
function isNodeEntry(where) {
  return /^packages\/[^/]+\/src\/node\.ts$/.test(where.replaceAll("\\", "/"));
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(join(folder, entry.name))
      : entry.name.endsWith(".ts")
        ? [join(folder, entry.name)]
        : [],
  );
}

for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
