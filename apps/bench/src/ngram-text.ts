import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Code as words, ids mapped: lines to train on, and lines that are asked about. */
export interface Corpus {
  /** By id: <unk>, <s>, </s>, then the words of the training lines as they appear. */
  readonly words: readonly string[];
  readonly begin: number;
  readonly end: number;
  readonly train: readonly Int32Array[];
  /** Each with the id of </s> at its end. */
  readonly heldOut: readonly Int32Array[];
  readonly queries: number;
}

/** Of the pinned TypeScript package, which the build needs anyway: 11 MB of one version, the same everywhere. */
const FILES = ["typescript.js", "lib.dom.d.ts"];

/** Half of the lines, chosen by a hash of their words, so that no held-out line is a training line. */
export function readCorpus(): Corpus {
  const folder = join(createRequire(import.meta.url).resolve("typescript/package.json"), "../lib");
  const words = ["<unk>", "<s>", "</s>"];
  const known = new Map(words.map((word, id) => [word, id]));
  const train: Int32Array[] = [];
  const held: string[][] = [];
  for (const file of FILES)
    for (const line of readFileSync(join(folder, file), "utf8").split("\n")) {
      const text = line.match(/\w+|[^\s\w]/g);
      if (!text) continue;
      if (hash(text.join(" ")) % 2 === 0) held.push(text);
      else
        train.push(
          Int32Array.from(text, (word) => {
            const id = known.get(word) ?? words.push(word) - 1;
            known.set(word, id);
            return id;
          }),
        );
    }
  const heldOut = held.map((text) => Int32Array.from([...text, "</s>"], (word) => known.get(word) ?? 0));
  const queries = heldOut.reduce((sum, ids) => sum + ids.length, 0);
  if (queries < 1_000_000) throw new Error(`The held-out text has ${queries} queries, and a million are wanted.`);
  return { words, begin: 1, end: 2, train, heldOut, queries };
}

/** FNV-1a over UTF-16 units, its high bits folded in. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}
