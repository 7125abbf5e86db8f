import { LOG_ZERO } from "./model.ts";

/**
 * 256 values and a byte an entry: the sorted entries are cut into 256 runs of equal size, each stands for its mean (the
 * binning of KenLM's quantiser). A run's mean differs from its entries least where most entries are. Probabilities of nothing
 * keep a value of their own: in a mean they would drag their neighbours down.
 */
export function codebook(values: Float32Array): { book: Float32Array<ArrayBuffer>; codes: Uint8Array<ArrayBuffer> } {
  const sorted = values.slice().sort();
  const nothing = sorted.findLastIndex((value) => value <= Math.fround(LOG_ZERO)) + 1;
  const rest = sorted.subarray(nothing);
  const distinct = rest.filter((value, i) => i === 0 || value !== rest[i - 1]);
  const book = new Float32Array(256).fill(sorted[0] ?? 0);
  const reserved = nothing > 0 ? 1 : 0;
  fillRuns(book.subarray(reserved), distinct.length <= 256 - reserved ? distinct : rest);
  const codes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) codes[i] = nearest(book, values[i]!);
  return { book, codes };
}

/** Cuts ascending values into as many runs as there are slots, and gives each slot the mean of its run. */
function fillRuns(slots: Float32Array, values: Float32Array): void {
  if (values.length === 0) return;
  for (let s = 0; s < slots.length; s++) {
    const start = Math.floor((s * values.length) / slots.length);
    const end = Math.max(start + 1, Math.floor(((s + 1) * values.length) / slots.length));
    let sum = 0;
    for (let i = start; i < end; i++) sum += values[i]!;
    slots[s] = sum / (end - start);
  }
}

export function expand(book: Float32Array, codes: Uint8Array): Float32Array {
  const out = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) out[i] = book[codes[i]!]!;
  return out;
}

/** The book ascends. */
function nearest(book: Float32Array, value: number): number {
  let low = 0;
  let high = 255;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (book[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low > 0 && value - book[low - 1]! <= book[low]! - value ? low - 1 : low;
}
