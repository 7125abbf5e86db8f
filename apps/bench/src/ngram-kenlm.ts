import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKenlm } from "@diffuspec/ngram-scorer";
import type { Corpus } from "./ngram-text.ts";

/**
 * KenLM's own way from the training text to a probing model, and its own loop over ids: `kenlm_benchmark -q`, one thread. Ids
 * are 1, 2 or 4 bytes wide, as the size of its vocabulary asks.
 */
export function openKenlm(programs: string, { train, heldOut, words, queries }: Corpus, order: number) {
  const folder = mkdtempSync(join(tmpdir(), "bench-ngram-"));
  const at = (name: string) => join(folder, name);
  const text = train.map((ids) => Array.from(ids, (id) => words[id]!).join(" ")).join("\n");
  const arpa = execFileSync(join(programs, "lmplz"), ["-o", String(order), "-S", "256M", "-T", at("sort")], {
    input: `${text}\n`,
    maxBuffer: 2 ** 30,
    stdio: ["pipe", "pipe", "ignore"],
  });
  writeFileSync(at("model.arpa"), arpa);
  execFileSync(join(programs, "build_binary"), ["probing", at("model.arpa"), at("model.bin")], { stdio: "ignore" });
  const file = new Uint8Array(readFileSync(at("model.bin")));
  const { words: theirs, counts } = readKenlm(file);
  const known = new Map(theirs.map((word, id) => [word, id]));
  const mapped = words.map((word) => known.get(word) ?? 0);
  const Width = theirs.length <= 256 ? Uint8Array : theirs.length <= 65_536 ? Uint16Array : Uint32Array;
  const ids = new Width(queries);
  let length = 0;
  for (const line of heldOut) for (const id of line) ids[length++] = mapped[id]!;
  writeFileSync(at("ids"), ids);

  return {
    ngrams: counts.reduce((sum, count) => sum + count, 0),
    bytes: file.length,
    turn() {
      const input = openSync(at("ids"), "r");
      const { stdout, stderr } = spawnSync(
        join(programs, "kenlm_benchmark"),
        ["-q", "-t", "1", "-m", at("model.bin")],
        {
          stdio: [input, "pipe", "pipe"],
          encoding: "utf8",
        },
      );
      closeSync(input);
      const number = (text: string, pattern: RegExp) => {
        const found = Number(pattern.exec(text)?.[1]);
        if (!Number.isFinite(found)) throw new Error(`kenlm_benchmark printed no ${pattern.source}: ${text}`);
        return found;
      };
      if (number(stdout, /Queries: (\d+)/) !== queries) throw new Error("kenlm_benchmark did not read all queries.");
      return {
        perSecond: number(stdout, /Queries per second excluding load, CPU: (\S+)/),
        perWallSecond: number(stdout, /Queries per second excluding load, CPU: \S+ Wall: (\S+)/),
        log10Sum: number(stderr, /Probability sum: (\S+)/),
      };
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}
