import { DiffuSpecError } from "@diffuspec/contracts";
import { findNgram, type Level, MAX_ORDER, type NgramModel, tokenArray } from "./model.ts";

/** ARPA files hold log10; we hold natural logs. The conversion is on these two lines and nowhere else. */
const toNatural = (log10: number) => log10 * Math.LN10;
const toLog10 = (natural: number) => natural / Math.LN10;

/** What ARPA writers put for a probability of nothing (SRILM's -99). */
const LOG_ZERO = -99;

export interface ArpaWriteOptions {
  /** The word of an id; default its decimal digits. No white space. */
  readonly piece?: (id: number) => string;
}

export interface ArpaReadOptions {
  readonly vocabularySize: number;
  /** The id of a word; undefined refuses the file. Default: decimal digits. */
  readonly id?: (word: string) => number | undefined;
}

/** The model in ARPA format, line by line. Every id is listed, so probabilities survive exactly to 7 digits. */
export function* arpaLines(
  model: NgramModel,
  { piece = String }: ArpaWriteOptions = {},
): Generator<string, void, void> {
  yield "\\data\\";
  for (const [i, level] of model.levels.entries()) yield `ngram ${i + 1}=${level.logProb.length}`;
  for (let order = 1; order <= model.order; order++) {
    yield "";
    yield `\\${order}-grams:`;
    yield* section(model, order, piece);
  }
  yield "";
  yield "\\end\\";
}

/** {@link arpaLines} as one text. */
export function writeArpa(model: NgramModel, options: ArpaWriteOptions = {}): string {
  return `${[...arpaLines(model, options)].join("\n")}\n`;
}

function* section(model: NgramModel, order: number, piece: (id: number) => string): Generator<string, void, void> {
  const level = model.levels[order - 1]!;
  function* walk(depth: number, from: number, to: number, words: string): Generator<string, void, void> {
    const { tokens, childStart } = model.levels[depth - 1]!;
    for (let i = from; i < to; i++) {
      const text = words === "" ? piece(tokens[i]!) : `${words} ${piece(tokens[i]!)}`;
      if (depth < order) yield* walk(depth + 1, childStart[i]!, childStart[i + 1]!, text);
      else {
        const backoff = level.backoff.length > 0 ? `\t${toLog10(level.backoff[i]!).toPrecision(8)}` : "";
        yield `${toLog10(level.logProb[i]!).toPrecision(8)}\t${text}${backoff}`;
      }
    }
  }
  yield* walk(1, 0, model.vocabularySize, "");
}

/**
 * Reads an ARPA text. Ids without a line of their own get probability 10^-99.
 *
 * @throws ERR_PARSE with the line number: another format, counts that do not fit, a bad number or word, an n-gram whose first
 *   ids are not listed, one that is listed twice
 */
export function readArpa(text: string | Uint8Array, options: ArpaReadOptions): NgramModel {
  const { vocabularySize, id = decimal } = options;
  if (typeof text !== "string") refuseBinary(text);
  const lines = (typeof text === "string" ? text : new TextDecoder().decode(text)).split(/\r?\n/);
  let at = 0;
  const fail = (why: string) => bad(at, why);
  const next = () => {
    while (at < lines.length && lines[at]!.trim() === "") at++;
    return at < lines.length ? lines[at++]!.trim() : undefined;
  };
  if (next() !== "\\data\\") throw fail("it does not begin with \\data\\");
  const counts: number[] = [];
  let line = next();
  for (; line?.startsWith("ngram "); line = next()) {
    const [, order, count] = /^ngram (\d+)=(\d+)$/.exec(line) ?? [];
    counts.push(Number(count));
    if (Number(order) !== counts.length || counts.length > MAX_ORDER) throw fail(`orders are 1..${MAX_ORDER} in turn`);
    if (Number(count) > lines.length) throw fail(`it announces ${count} n-grams and has ${lines.length} lines`);
  }
  if (counts.length === 0) throw fail("it announces no n-grams");

  const grams: Entry[][] = [];
  for (let n = 1; n <= counts.length; n++) {
    if (line !== `\\${n}-grams:`) throw fail(`\\${n}-grams: is missing`);
    const entries: Entry[] = [];
    for (line = next(); line !== undefined && !line.startsWith("\\"); line = next())
      entries.push(readEntry(line, n, counts.length, vocabularySize, id, fail));
    if (entries.length !== counts[n - 1])
      throw fail(`${counts[n - 1]} ${n}-grams were announced and ${entries.length} found`);
    grams.push(entries.sort(byIds));
  }
  if (line !== "\\end\\") throw fail("\\end\\ is missing");
  return build(grams, vocabularySize, fail);
}

interface Entry {
  readonly ids: readonly number[];
  readonly logProb: number;
  readonly backoff: number;
}

type Fail = (why: string) => DiffuSpecError;

function readEntry(
  line: string,
  n: number,
  order: number,
  vocabularySize: number,
  id: (word: string) => number | undefined,
  fail: Fail,
): Entry {
  const fields = line.split(/\s+/);
  if (fields.length !== n + 1 && !(fields.length === n + 2 && n < order))
    throw fail(`a ${n}-gram has ${fields.length} fields`);
  const number = (text: string) => {
    const value = Number(text);
    if (!Number.isFinite(value)) throw fail(`${text.slice(0, 40)} is no number`);
    return toNatural(value);
  };
  const logProb = number(fields[0]!);
  if (logProb > 1e-6) throw fail(`the log-probability ${fields[0]} is above 0`);
  const ids = fields.slice(1, n + 1).map((word) => {
    const found = id(word);
    if (found === undefined || !(Number.isInteger(found) && found >= 0 && found < vocabularySize))
      throw fail(`the word ${word.slice(0, 40)} is not in the vocabulary of ${vocabularySize}`);
    return found;
  });
  return { ids, logProb: Math.min(0, logProb), backoff: fields.length === n + 2 ? number(fields[n + 1]!) : 0 };
}

function build(grams: readonly Entry[][], vocabularySize: number, fail: Fail): NgramModel {
  const order = grams.length;
  const levels: Level[] = [];
  for (const [i, entries] of grams.entries()) {
    const inner = i + 1 < order;
    const size = i === 0 ? vocabularySize : entries.length;
    const level = {
      tokens: tokenArray(vocabularySize, size).map((_, index) => (i === 0 ? index : entries[index]!.ids[i]!)),
      logProb: new Float32Array(size).fill(i === 0 ? toNatural(LOG_ZERO) : 0),
      backoff: new Float32Array(inner ? size : 0),
      childStart: new Uint32Array(inner ? size + 1 : 0),
    };
    const known: NgramModel = { order: i, vocabularySize, levels };
    const above = levels[i - 1];
    for (const [index, { ids, logProb, backoff }] of entries.entries()) {
      if (index > 0 && byIds(entries[index - 1]!, entries[index]!) === 0)
        throw fail(`${ids.join(" ")} is listed twice`);
      const place = i === 0 ? ids[0]! : index;
      level.logProb[place] = logProb;
      if (inner) level.backoff[place] = backoff;
      if (!above) continue;
      const parent = findNgram(known, ids, 0, i);
      if (parent === -1) throw fail(`${ids.join(" ")} is listed and its first ${i} ids are not`);
      above.childStart[parent + 1]!++;
    }
    if (above) for (let p = 1; p < above.childStart.length; p++) above.childStart[p]! += above.childStart[p - 1]!;
    levels.push(level);
  }
  return { order, vocabularySize, levels };
}

function byIds(a: Entry, b: Entry): number {
  for (let i = 0; i < a.ids.length; i++) if (a.ids[i] !== b.ids[i]) return a.ids[i]! - b.ids[i]!;
  return 0;
}

const decimal = (word: string) => (/^\d{1,8}$/.test(word) ? Number(word) : undefined);

/** Recognises what people confuse with an ARPA text, and says what to do. */
function refuseBinary(bytes: Uint8Array): void {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    throw bad(0, "it is gzip; unpack it first (gunzip, or DecompressionStream)");
  const begin = String.fromCharCode(...bytes.subarray(0, 12));
  if (begin.startsWith("mmap lm http")) throw bad(0, "it is a KenLM binary; give the ARPA file it was built from");
  if (begin.startsWith("DSNG")) throw bad(0, "it is our compact file; read it with decodeNgram()");
}

const bad = (line: number, why: string) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `The ARPA text cannot be read at line ${line}`,
    why,
    next: "Restore the file, or write it again.",
    details: { line },
  });
