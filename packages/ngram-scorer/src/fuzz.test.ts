import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { isDiffuSpecError } from "@diffuspec/contracts";
import { expect, test } from "vitest";
import { crc32 } from "./crc32.ts";
import {
  createKenlmScorer,
  createNgramScorer,
  decodeNgram,
  encodeNgram,
  estimateNgram,
  type NgramModel,
  readArpa,
  readKenlm,
  writeArpa,
} from "./index.ts";
import { readArpaGzip } from "./node.ts";

/**
 * Every parser against inputs that are almost right: a value that can be used, or a typed error that says where. The same
 * inputs every time; scripts/fuzz.mjs runs more of them, from another seed.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 22_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** No input here has more than 130 kB, and none may cost more than this in buffers. */
const MOST_BUFFERS = 4 << 20;

const VOCABULARY = 12;
const ids = Array.from({ length: 300 }, (_, i) => (i * i + 3 * (i % 5)) % VOCABULARY);
const model = estimateNgram([ids], { order: 3, vocabularySize: VOCABULARY });
const arpa = writeArpa(model);
const kenlm = (() => {
  const index = readFileSync(new URL("../golden/index.json", import.meta.url), "utf8");
  const { asked } = JSON.parse(index) as { asked: { binary: string } };
  return new Uint8Array(gunzipSync(readFileSync(new URL(`../golden/${asked.binary}`, import.meta.url))));
})();

const { unigrams } = readKenlm(kenlm);

/** Seeded: a whole number below `below`, and a pick of a list. */
function dice(seed: number) {
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const of = <T>(list: readonly T[]): T => list[below(list.length)]!;
  return { below, of };
}
type Dice = ReturnType<typeof dice>;

const NUMBERS = [0, 1, 2, 3, 4, 6, 7, 11, 12, 13, 255, 256, 65_535, 65_536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const FLOATS = [0x7fc00000, 0x7f800000, 0xff800000, 0x80000000, 0x3f800000, 0xc2c60000];

/** Sets a few 32-bit words, most of them in the header, and often cuts or lengthens the file. */
function editWords(original: Uint8Array, header: number, { below, of }: Dice): Uint8Array {
  const length = below(5) > 0 ? original.length : below(2) ? below(original.length) : original.length + below(16);
  const file = new Uint8Array(length);
  file.set(original.subarray(0, length));
  const view = new DataView(file.buffer);
  for (let edits = 1 + below(3); edits > 0; edits--) {
    const at = below(3) > 0 ? below(header) : below(length);
    const value = below(4) === 0 ? below(400) : of(below(3) === 0 ? FLOATS : NUMBERS);
    if (below(4) === 0 && at < length) file[at] = value;
    else if (4 * (at >> 2) + 4 <= length) view.setUint32(4 * (at >> 2), value, true);
  }
  return file;
}

const FIELDS = [
  "",
  "0",
  "-1",
  "-99",
  "1e300",
  "-1e-300",
  "nan",
  "-inf",
  "0x1",
  "12",
  "11",
  "99999999999",
  "<unk>",
  "<s>",
];
const LINES = [
  "",
  "\\end\\",
  "\\data\\",
  "\\1-grams:",
  "\\2-grams:",
  "ngram 1=1",
  "ngram 4=4294967295",
  "-1\t0 1 2",
  "\0",
];

function editArpa(original: string, { below, of }: Dice): string {
  const lines = original.split("\n");
  for (let edits = 1 + below(3); edits > 0; edits--) {
    const at = below(2) ? below(lines.length) : below(8);
    const fields = lines[at]!.split(/(?<=[\t =])|(?=[\t =])/);
    const kind = below(8);
    if (kind === 0) lines.splice(at, 1 + below(4));
    else if (kind === 1) lines.splice(at, 0, lines[below(lines.length)]!);
    else if (kind === 2) lines.splice(at, 1, of(LINES));
    else if (kind === 3) lines.splice(below(lines.length), 0, ...lines.splice(at, 1 + below(20)));
    else if (kind < 6) {
      fields[below(fields.length)] = of(FIELDS);
      lines[at] = fields.join("");
    } else {
      const cut = below(lines[at]!.length);
      lines[at] =
        lines[at]!.slice(0, cut) + of(["", "\t", " ", "-", "9", "\r", "\u{1f600}"]) + lines[at]!.slice(cut + 1);
    }
    if (lines.length === 0) lines.push("");
  }
  const text = lines.join("\n");
  return below(12) === 0 ? text.slice(0, below(text.length)) : text;
}

function use(found: NgramModel): void {
  const out = new Float64Array(4);
  const scorer = createNgramScorer(found);
  scorer.score(
    [
      [1, 2],
      [0, 11],
    ],
    Int32Array.of(0, found.vocabularySize - 1),
    out,
  );
  if (!out.every((score) => score <= 0 || Number.isFinite(score))) throw new Error("a score is no number");
  expect(decodeNgram(encodeNgram(found)).order).toBe(found.order); // what one reader takes, the other must
}

const size = { vocabularySize: VOCABULARY };
const encode = (text: string) => new TextEncoder().encode(text);

interface Target {
  /** An input, and what reads and uses it. */
  readonly make: (random: Dice) => { readonly length: number; readonly run: () => void };
  /** What an error has to say: the byte, or the line of a text. */
  readonly place: "offset" | "line" | "either";
}

const compact = [encodeNgram(model), encodeNgram(model, { quantise: true })];
const packed = gzipSync(arpa);
const targets: Record<string, Target> = {
  "the compact file": {
    place: "offset",
    make: (random) => {
      const file = editWords(random.of(compact), 64, random);
      if (random.below(4) > 0 && file.length >= 64) {
        const view = new DataView(file.buffer);
        view.setUint32(20, file.length, true);
        view.setUint32(24, crc32(file.subarray(28)), true);
      }
      return { length: file.length, run: () => use(decodeNgram(file)) };
    },
  },
  "an ARPA text": {
    place: "line",
    make: (random) => {
      const text = editArpa(arpa, random);
      const given = random.below(2) ? text : encode(text);
      return { length: text.length, run: () => use(readArpa(given, size)) };
    },
  },
  "a KenLM binary": {
    place: "offset",
    make: (random) => {
      const file = editWords(kenlm, 160, random);
      if (random.below(3) === 0 && file.length > 4 * unigrams + 160)
        // values that are asked for below
        new DataView(file.buffer).setUint32(4 * (unigrams + random.below(40)), random.of(FLOATS), true);
      const run = () => {
        const read = readKenlm(file);
        const scorer = createKenlmScorer(read);
        const all = Int32Array.from(read.words, (_, id) => id);
        const out = new Float64Array(3 * all.length);
        scorer.score([scorer.begin(Int32Array.of(1, 7, 3)), scorer.begin(Int32Array.of(5)), []], all, out);
        if (!out.every(Number.isFinite)) throw new Error("a score is no number");
      };
      return { length: file.length, run };
    },
  },
  "a gzip file": {
    place: "either",
    make: (random) => {
      const { below } = random;
      let file: Uint8Array = packed;
      const kind = below(4);
      if (kind === 0) file = gzipSync(editArpa(arpa, random), { level: 1 });
      else if (kind === 1) file = editWords(packed, 18, random);
      else if (kind === 2) file = editWords(packed, packed.length, random);
      else file = Buffer.concat([packed.subarray(0, below(packed.length)), packed.subarray(below(packed.length))]);
      return { length: file.length, run: () => use(readArpaGzip(file, { ...size, mostBytes: 1 << 20 })) };
    },
  },
};

test.each(Object.entries(targets))("%s: a value, or a typed error with its place", (name, { make, place }) => {
  const runs = Math.ceil(RUNS / Object.keys(targets).length);
  const random = dice(SEED * 7919 + name.length);
  const outcome = { read: 0, refused: 0 };
  for (let i = 0; i < runs; i++) {
    const { length, run } = make(random);
    const before = process.memoryUsage().arrayBuffers;
    try {
      run();
      outcome.read++;
    } catch (error) {
      const at = `input ${i} of seed ${SEED}: ${error}`;
      if (!isDiffuSpecError(error)) throw new Error(at, { cause: error });
      expect(["ERR_PARSE", "ERR_UNSUPPORTED"], at).toContain(error.code);
      const { offset, line } = error.details;
      const said = place === "offset" ? offset : place === "line" ? line : (line ?? offset);
      expect(said, at).toEqual(expect.any(Number));
      expect(said, at).toBeGreaterThanOrEqual(0);
      if (offset !== undefined && line === undefined) expect(offset, at).toBeLessThanOrEqual(length + 8);
      outcome.refused++;
    }
    expect(process.memoryUsage().arrayBuffers - before, `buffers of input ${i}`).toBeLessThan(MOST_BUFFERS);
  }
  // both ends must be reached, or the inputs prove nothing
  expect(outcome.refused).toBeGreaterThan(runs / 4);
  expect(outcome.read).toBeGreaterThan(runs / 100);
});
