import { DiffuSpecError } from "@diffuspec/contracts";
import type { Table } from "./kenlm-hash.ts";
import { MAX_ORDER } from "./model.ts";

/** A KenLM probing model as it lies in its file; the tables are views, nothing is unpacked. */
export interface KenlmModel {
  readonly order: number;
  /** The words by KenLM's id: words[0] is <unk>. */
  readonly words: readonly string[];
  /** N-grams the header announces, by order. */
  readonly counts: readonly number[];
  /** Where log10 p and log10 back-off of single words lie, two 32-bit words each, in `u32` and `f32`. */
  readonly unigrams: number;
  /** Orders 2 and up: keys, log10 p (its sign is a flag of KenLM's), and below the highest order the back-off. */
  readonly tables: readonly Table[];
  /** The file. */
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
}

const MAGIC = "mmap lm http://kheafield.com/code format version 5\n";
const ANY_VERSION = "mmap lm http://kheafield.com/code format version ";
const UNFINISHED = "mmap lm http://kheafield.com/code incomplete\n";
/** Model types of the header; the first is read here. */
const KINDS = [
  "probing",
  "probing with rest costs",
  "trie",
  "trie, quantised",
  "trie with array-compressed pointers",
  "trie, quantised, with array-compressed pointers",
];
/** What the header holds so that a reader of another architecture notices: 0, 1 and -0.5 as f32, 1 and 2^32 - 1, 1 as u64. */
const SANITY = [0, 0x3f800000, 0xbf000000, 1, 0xffffffff, 0, 1, 0];
const FIXED = 88;
const COUNTS = 108;

/**
 * Reads the file that KenLM's `build_binary probing` writes (format 5). Memory: the file as given (a copy where it is not
 * aligned to 4 bytes) and its words; sizes are held against the file before anything is allocated.
 *
 * @throws ERR_PARSE with the byte offset for what is no such file, is truncated or holds numbers that are none;
 *   ERR_UNSUPPORTED for KenLM's other kinds, with the command that converts them
 */
export function readKenlm(bytes: Uint8Array | ArrayBuffer): KenlmModel {
  const given = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  checkMagic(given);
  const data = given.byteOffset % 4 === 0 ? given : new Uint8Array(given);
  const u32 = new Uint32Array(data.buffer, data.byteOffset, data.length >>> 2);
  const f32 = new Float32Array(data.buffer, data.byteOffset, data.length >>> 2);
  for (const [i, value] of SANITY.entries())
    if (u32[14 + i] !== value) throw bad(56 + 4 * i, "its test values are those of another architecture");
  const order = data[FIXED]!;
  const multiplier = f32[FIXED / 4 + 1]!;
  const kind = u32[FIXED / 4 + 2]!;
  if (kind > 5) throw bad(FIXED + 8, `its kind is ${kind}`);
  if (kind > 0) throw unsupported(kind);
  if (order < 2 || order > MAX_ORDER) throw bad(FIXED, `its order is ${order} and this reader knows 2..${MAX_ORDER}`);
  if (!(multiplier >= 1 && multiplier <= 1000))
    throw bad(FIXED + 4, `its tables are ${multiplier} times their content`);
  if (data[FIXED + 12] !== 1) throw bad(FIXED + 12, "it comes without its words");
  if (u32[FIXED / 4 + 4] !== 0) throw bad(FIXED + 16, `its tables have version ${u32[FIXED / 4 + 4]}`);

  const counts: number[] = [];
  for (let n = 0; n < order; n++) {
    const at = COUNTS + 8 * n;
    const count = u32[at / 4]!;
    if (!(count <= data.length / 8) || u32[at / 4 + 1] !== 0) throw bad(at, `${n + 1}-grams do not fit into the file`);
    counts.push(count);
  }
  let end = Math.ceil((COUNTS + 8 * order) / 8) * 8;
  const take = (size: number, what: string) => {
    const start = end;
    end += size;
    if (end > data.length) throw bad(data.length, `${what} go on to byte ${end}`);
    return start / 4;
  };
  const vocabulary = take(8 + 12 * bucketsOf(counts[0]!, multiplier), "its words' keys");
  if (u32[vocabulary] !== 0) throw bad(4 * vocabulary, `its words have version ${u32[vocabulary]}`);
  const size = u32[vocabulary + 1]!;
  if (size < 1 || size > counts[0]! + 1)
    throw bad(4 * vocabulary + 4, `it has ${size} words and ${counts[0]} single ones`);
  const unigrams = take(8 * (counts[0]! + 1), "single words");
  const tables = counts.slice(1).map((count, i): Table => {
    const buckets = bucketsOf(count, multiplier);
    const stride = i + 2 < order ? 4 : 3;
    return { start: take(4 * stride * buckets, `${i + 2}-grams`), stride, buckets };
  });
  for (let i = 0; i < 2 * size; i++) finite(f32, unigrams + i);
  for (const table of tables) checkTable(u32, f32, table);
  return { order, counts, unigrams, tables, u32, f32, words: wordsOf(data, end, size) };
}

function checkMagic(data: Uint8Array): void {
  const head = String.fromCharCode(...data.subarray(0, 64));
  if (head.startsWith(UNFINISHED)) throw bad(0, "build_binary did not finish it");
  if (head.startsWith(ANY_VERSION) && !head.startsWith(MAGIC))
    throw bad(ANY_VERSION.length, "it has another version than 5");
  if (!head.startsWith(MAGIC)) throw bad(0, "it does not begin as KenLM's binaries do");
  if (data.length < COUNTS) throw bad(data.length, `it ends inside its header`);
}

/** As many buckets as KenLM, which multiplies 32-bit floats. */
function bucketsOf(count: number, multiplier: number): number {
  return Math.max(count + 1, Math.floor(Math.fround(multiplier * Math.fround(count))));
}

function checkTable(u32: Uint32Array, f32: Float32Array, { start, stride, buckets }: Table): void {
  let used = 0;
  for (let at = start; at < start + stride * buckets; at += stride) {
    if (u32[at] === 0 && u32[at + 1] === 0) continue;
    used++;
    for (let i = 2; i < stride; i++) finite(f32, at + i);
  }
  if (used === buckets) throw bad(4 * start, "a table has no empty place, so a search in it would not end");
}

function finite(f32: Float32Array, at: number): void {
  if (!Number.isFinite(f32[at])) throw bad(4 * at, `a number is ${f32[at]}`);
}

/** Words end with a zero byte each, <unk> first. */
function wordsOf(data: Uint8Array, from: number, size: number): string[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const words: string[] = [];
  const seen = new Set<string>();
  for (let start = from; start < data.length; ) {
    const end = data.indexOf(0, start);
    if (end === -1) throw bad(start, "its last word does not end");
    let word: string;
    try {
      word = decoder.decode(data.slice(start, end));
    } catch {
      throw bad(start, "a word is not UTF-8");
    }
    if (words.length === 0 && word !== "<unk>") throw bad(start, "its first word is not <unk>");
    if (seen.has(word)) throw bad(start, `the word ${word.slice(0, 40)} is listed twice`);
    if (words.length === size) throw bad(start, `there are more words than the ${size} announced`);
    seen.add(word);
    words.push(word);
    start = end + 1;
  }
  if (words.length < size) throw bad(data.length, `${size} words were announced and ${words.length} found`);
  return words;
}

const bad = (offset: number, why: string) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `The KenLM binary cannot be read at byte ${offset}`,
    why,
    next: "Restore the file, or write it again with KenLM's build_binary probing.",
    details: { offset },
  });

const unsupported = (kind: number) =>
  new DiffuSpecError({
    code: "ERR_UNSUPPORTED",
    what: `The KenLM binary is of the kind ${KINDS[kind]}`,
    why: "this reader reads probing alone",
    next: "From the ARPA file it was made of: build_binary probing model.arpa model.binary",
    details: { offset: FIXED + 8, kind: KINDS[kind] },
  });
