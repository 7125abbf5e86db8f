/** The ids of the `count` largest values, largest first, the lower id first among equals. NaN is never among them. */
export function topIds(values: Float32Array, count: number): Int32Array {
  const ids = new Int32Array(Math.min(count, values.length));
  const best = new Float64Array(ids.length).fill(Number.NEGATIVE_INFINITY);
  let filled = 0;
  for (let id = 0; id < values.length; id++) {
    const value = values[id]!;
    if (Number.isNaN(value) || (filled === ids.length && !(value > best[filled - 1]!))) continue;
    let at = filled < ids.length ? filled++ : filled - 1;
    for (; at > 0 && value > best[at - 1]!; at--) {
      best[at] = best[at - 1]!;
      ids[at] = ids[at - 1]!;
    }
    best[at] = value;
    ids[at] = id;
  }
  return ids.subarray(0, filled);
}
