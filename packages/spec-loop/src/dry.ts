/** No penalty exceeds this many nats, so that no score becomes NaN or -Infinity by it. */
const MOST = 1e30;

/**
 * The DRY penalty ("don't repeat yourself", as in llama.cpp): a token that would lengthen a run of ids which stood in the
 * text before loses multiplier * base ^ (run - allowedLength) nats, where `run` is the length of the longest suffix of `ids`
 * that the token followed earlier; runs shorter than `allowedLength` are free. It breaks loops and leaves other text alone.
 *
 * @returns a function of the ids so far, giving the penalised tokens and their penalties in nats; the map is reused
 */
export function createDry(multiplier: number, base: number, allowedLength: number) {
  const penalties = new Map<number, number>();
  let shared = new Int32Array(0);

  return function penaltiesAfter(ids: Int32Array): ReadonlyMap<number, number> {
    penalties.clear();
    const n = ids.length;
    if (shared.length < n) shared = new Int32Array(2 * n);
    // Z algorithm over the reversed ids: shared[i] ids end both ids[..n - i) and ids; the farthest match spans [left, right)
    let left = 0;
    let right = 0;
    for (let i = 1; i < n; i++) {
      let length = i < right ? Math.min(right - i, shared[i - left]!) : 0;
      while (i + length < n && ids[n - 1 - length] === ids[n - 1 - i - length]) length++;
      if (i + length > right) {
        left = i;
        right = i + length;
      }
      shared[i] = length;
      if (length < allowedLength) continue;
      const token = ids[n - i]!;
      const penalty = Math.min(MOST, multiplier * base ** (length - allowedLength));
      if (penalty > (penalties.get(token) ?? 0)) penalties.set(token, penalty);
    }
    return penalties;
  };
}
