/**
 * 256 values and a byte an entry: the sorted entries are cut into 256 runs of equal size, each stands for its mean (the
 * binning of KenLM's quantiser). A run's mean differs from its entries least where most entries are.
 */
export function codebook(values: Float32Array): { book: Float32Array<ArrayBuffer>; codes: Uint8Array<ArrayBuffer> } {
  const sorted = values.slice().sort();
  const distinct = sorted.filter((value, i) => i === 0 || value !== sorted[i - 1]);
  const source = distinct.length <= 256 ? distinct : sorted;
  const book = new Float32Array(256);
  for (let b = 0; b < 256; b++) {
    const start = Math.floor((b * source.length) / 256);
    const end = Math.max(start + 1, Math.floor(((b + 1) * source.length) / 256));
    let sum = 0;
    for (let i = start; i < end && i < source.length; i++) sum += source[i]!;
    book[b] = start < source.length ? sum / (Math.min(end, source.length) - start) : 0;
  }
  const codes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) codes[i] = nearest(book, values[i]!);
  return { book, codes };
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
