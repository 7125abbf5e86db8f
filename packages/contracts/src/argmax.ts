/**
 * The one argmax: the lowest index among the largest values, so that ties fall alike in every package and in the graphs.
 * NaN never wins; a row without any number gives -1.
 *
 * @example
 * argmax(Float32Array.of(1, 3, 3)); // 1
 */
export function argmax(values: ArrayLike<number>): number {
  let best = -1;
  let bestValue = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value > bestValue || (best === -1 && value === bestValue)) {
      best = i;
      bestValue = value;
    }
  }
  return best;
}
