import { DiffuSpecError } from "@diffuspec/contracts";
import { crc32 } from "./crc32.ts";
import { type Level, MAX_ORDER, type NgramModel } from "./model.ts";
import { codebook, expand } from "./quantise.ts";

/**
 * The compact file, little-endian:
 *   0  "DSNG"            4  version u32 = 1        8  order u32         12  vocabularySize u32
 *  16  flags u32 (1: quantised)   20  bytes of the whole file u32   24  CRC-32 of everything from byte 28 on
 *  28  n-grams of order 1..6, u32 each (0 beyond the order)   52  zero u32 x 3
 *  64  the arrays, each at a multiple of 8, in this order for n = 1..order:
 *      tokens (u16 where vocabularySize <= 65,536, else u32; none for n = 1), logProb, backoff (n < order),
 *      childStart u32 [n-grams + 1] (n < order)
 *  logProb and backoff are f32, or where quantised a codebook f32 [256] and one byte an entry.
 */
const MAGIC = 0x474e5344;
const VERSION = 1;
const HEADER = 64;
/** No file may claim more; a decoder allocates in proportion to the file, never to a claim. */
const MOST_BYTES = 2 ** 31 - 1;

/** Writes the compact file; `quantise` stores probabilities and back-offs as one byte each (256 values an order). */
export function encodeNgram(model: NgramModel, options: { readonly quantise?: boolean } = {}): Uint8Array<ArrayBuffer> {
  const quantised = options.quantise === true;
  const parts: Uint8Array[] = [];
  const put = (array: ArrayBufferView) => parts.push(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  const putFloats = (values: Float32Array) => {
    if (!quantised) return put(values);
    const { book, codes } = codebook(values);
    put(book);
    put(codes);
  };
  for (const [i, level] of model.levels.entries()) {
    if (i > 0) put(level.tokens);
    putFloats(level.logProb);
    if (i + 1 === model.order) continue;
    putFloats(level.backoff);
    put(level.childStart);
  }
  const bytes = parts.reduce((sum, part) => sum + aligned(part.length), HEADER);
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  const counts = Array.from({ length: MAX_ORDER }, (_, i) => model.levels[i]?.logProb.length ?? 0);
  for (const [i, value] of [MAGIC, VERSION, model.order, model.vocabularySize, quantised ? 1 : 0, bytes].entries())
    view.setUint32(4 * i, value, true);
  for (const [i, count] of counts.entries()) view.setUint32(28 + 4 * i, count, true);
  let at = HEADER;
  for (const part of parts) {
    out.set(part, at);
    at += aligned(part.length);
  }
  view.setUint32(24, crc32(out.subarray(28)), true);
  return out;
}

/**
 * Reads the compact file. The arrays are views of `bytes` where it is aligned (a copy is made where it is not), so nothing
 * is parsed; quantised values are looked up once.
 *
 * @throws ERR_PARSE with the byte offset: another format, another version, truncated, altered, or inconsistent
 */
export function decodeNgram(bytes: Uint8Array | ArrayBuffer): NgramModel {
  const given = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  if (given.length < HEADER) throw bad(given.length, `the file has ${given.length} bytes and a header has ${HEADER}`);
  const data = given.byteOffset % 8 === 0 ? given : new Uint8Array(given); // not slice(): a Buffer's shares its memory
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const word = (at: number) => view.getUint32(at, true);
  if (word(0) !== MAGIC) throw bad(0, "it does not begin with DSNG");
  if (word(4) !== VERSION) throw bad(4, `its version is ${word(4)} and this reader knows ${VERSION}`);
  const [order, vocabularySize, flags, size] = [word(8), word(12), word(16), word(20)];
  if (order < 1 || order > MAX_ORDER) throw bad(8, `its order is ${order}`);
  if (vocabularySize < 1 || vocabularySize > 2 ** 24) throw bad(12, `its vocabulary has ${vocabularySize} ids`);
  if (flags > 1) throw bad(16, `its flags are ${flags}`);
  if (size > MOST_BYTES || size !== data.length) throw bad(20, `it says ${size} bytes and has ${data.length}`);
  if (word(24) !== crc32(data.subarray(28))) throw bad(24, "its checksum does not fit");

  for (let spare = 28 + 4 * order; spare < HEADER; spare += 4)
    if (word(spare) !== 0) throw bad(spare, `it holds ${word(spare)} where nothing is expected`);

  const wide = vocabularySize > 65_536;
  let at = HEADER;
  const take = (length: number): Uint8Array => {
    if (at + length > data.length) throw bad(at, `an array of ${length} bytes goes past the end`);
    const part = data.subarray(at, at + length);
    at += aligned(length);
    return part;
  };
  const u32 = (count: number) => new Uint32Array(data.buffer, take(4 * count).byteOffset, count);
  const f32 = (count: number) => new Float32Array(data.buffer, take(4 * count).byteOffset, count);
  const floats = (count: number) => (flags === 1 ? expand(f32(256), take(count)) : f32(count));

  const levels: Level[] = [];
  for (let n = 1; n <= order; n++) {
    const count = word(24 + 4 * n);
    const start = at;
    if (n === 1 && count !== vocabularySize) throw bad(28, `it has ${count} single ids for ${vocabularySize}`);
    const tokens =
      n === 1
        ? Uint32Array.from({ length: count > data.length ? 0 : count }, (_, id) => id)
        : wide
          ? u32(count)
          : new Uint16Array(data.buffer, take(2 * count).byteOffset, count);
    const logProb = floats(count);
    const inner = n < order;
    const level = {
      tokens,
      logProb,
      backoff: inner ? floats(count) : new Float32Array(0),
      childStart: inner ? u32(count + 1) : new Uint32Array(0),
    };
    checkLevel(level, inner ? word(28 + 4 * n) : 0, levels[n - 2], vocabularySize, start);
    levels.push(level);
  }
  if (at !== data.length) throw bad(at, `${data.length - at} bytes are left over`);
  return { order, vocabularySize, levels };
}

/** A file with a right checksum may still be wrong: nothing here may lead a search astray. */
function checkLevel(
  level: Level,
  children: number,
  above: Level | undefined,
  vocabularySize: number,
  at: number,
): void {
  const { tokens, logProb, backoff, childStart } = level;
  for (let i = 0; i < logProb.length; i++)
    if (!(logProb[i]! <= 0 && logProb[i]! > Number.NEGATIVE_INFINITY))
      throw bad(at, `log-probability ${i} is ${logProb[i]}`);
  for (let i = 0; i < backoff.length; i++)
    if (!Number.isFinite(backoff[i])) throw bad(at, `back-off ${i} is ${backoff[i]}`);
  for (let i = 1; i < childStart.length; i++)
    if (childStart[i]! < childStart[i - 1]!) throw bad(at, `the children of n-gram ${i - 1} end before they begin`);
  if (childStart.length > 0 && (childStart[0] !== 0 || childStart[childStart.length - 1] !== children))
    throw bad(at, `the children do not cover the ${children} n-grams of the next order`);
  if (!above) return;
  for (let parent = 0; parent + 1 < above.childStart.length; parent++)
    for (let i = above.childStart[parent]!; i < above.childStart[parent + 1]!; i++)
      if (tokens[i]! >= vocabularySize || (i > above.childStart[parent]! && tokens[i]! <= tokens[i - 1]!))
        throw bad(at, `n-gram ${i} ends with id ${tokens[i]}, out of order or of the vocabulary`);
}

const aligned = (length: number) => Math.ceil(length / 8) * 8;

const bad = (offset: number, why: string) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `The n-gram file cannot be read at byte ${offset}`,
    why,
    next: "Restore the file, or write it again with encodeNgram().",
    details: { offset },
  });
