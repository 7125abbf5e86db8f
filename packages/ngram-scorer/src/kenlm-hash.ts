/** A 64-bit number in two halves, each 0..2^32 - 1. */
export interface Key {
  hi: number;
  lo: number;
}

/** Makes `key`, of some ids read from the last one backwards, the key of these and one more id before them. */
export function extendKey(key: Key, id: number): void {
  const { hi, lo } = key;
  multiply(key, hi, lo, 0x7c9ba273, 0x3b63f585);
  const { hi: contextHi, lo: contextLo } = key;
  multiply(key, 0, (id + 1) >>> 0, 0xf8574e12, 0x21634907);
  key.hi = (key.hi ^ contextHi) >>> 0;
  key.lo = (key.lo ^ contextLo) >>> 0;
}

/** The product modulo 2^64. */
function multiply(out: Key, aHi: number, aLo: number, bHi: number, bLo: number): void {
  const a0 = aLo & 0xffff;
  const a1 = aLo >>> 16;
  const b0 = bLo & 0xffff;
  const b1 = bLo >>> 16;
  const low = a0 * b0;
  const middle = a1 * b0 + Math.floor(low / 65_536); // at most 2^32 + 2^16: exact
  const other = a0 * b1 + (middle % 65_536);
  const carried = a1 * b1 + Math.floor(middle / 65_536) + Math.floor(other / 65_536);
  out.hi = (carried + Math.imul(aHi, bLo) + Math.imul(aLo, bHi)) >>> 0;
  out.lo = Math.imul(aLo, bLo) >>> 0;
}

/** A hash table inside a file: entries of `stride` 32-bit words that begin with a key, low half first; key 0 is empty. */
export interface Table {
  /** In 32-bit words from the beginning of the file. */
  readonly start: number;
  readonly stride: number;
  readonly buckets: number;
}

/** Where, in 32-bit words, the entry of a key begins; -1 without one. Linear probing, once around at most. */
export function findEntry(file: Uint32Array, { start, stride, buckets }: Table, { hi, lo }: Key): number {
  const half = ((hi % buckets) * 65_536 + (lo >>> 16)) % buckets;
  let bucket = (half * 65_536 + (lo & 0xffff)) % buckets;
  for (let tries = 0; tries < buckets; tries++) {
    const at = start + bucket * stride;
    const foundLo = file[at]!;
    const foundHi = file[at + 1]!;
    if (foundLo === lo && foundHi === hi) return at;
    if (foundLo === 0 && foundHi === 0) return -1;
    if (++bucket === buckets) bucket = 0;
  }
  return -1;
}
