import type { Forward } from "./forward.ts";

/**
 * For a model whose row of an id drafts the id behind it: the last known id drafts the first of a block, and each mask the
 * one behind itself, so that a block of k needs k - 1 masks. The last known id is fed with every draft and cached with the
 * next. The target's hidden row that chose it, where that was seen, is told to the masks, too.
 *
 * @param width values of the target that the model reads for an id; 0: none
 */
export function createShiftedForward(base: Forward, width: number): Forward {
  const none = new Int32Array(0);
  /** Committed, not yet in the base's cache: the last known id, and one before it where it would have been fed alone. */
  let waiting = none;
  let waitingTaps = new Float32Array(0);

  /** What waits and what comes, all known ids; `taps` has a row for each. */
  function join(ids: Int32Array, taps?: Float32Array) {
    const all = new Int32Array(waiting.length + ids.length);
    all.set(waiting);
    all.set(ids, waiting.length);
    const rows = new Float32Array(all.length * width);
    rows.set(waitingTaps);
    if (taps) rows.set(taps, waitingTaps.length);
    return { all, rows };
  }

  function hold(ids: Int32Array, taps: Float32Array): void {
    waiting = ids.slice();
    waitingTaps = taps.slice(taps.length - ids.length * width);
  }

  return {
    get length() {
      return base.length + waiting.length;
    },
    async extend(ids, taps) {
      const { all, rows } = join(ids, taps);
      const fed = all.length > 2 ? all.length - 1 : 0;
      if (fed > 0) await base.extend(all.subarray(0, fed), rows.subarray(0, fed * width));
      hold(all.subarray(fed), rows);
    },
    async draft(fresh, head, block, rows, taps) {
      const { all, rows: seen } = join(fresh, taps);
      const masks = block.subarray(0, Math.max(1, block.length - 1));
      const told = new Float32Array((all.length + head.length + masks.length) * width);
      told.set(seen);
      if (head.length === 0)
        for (let i = 0; i < masks.length; i++) told.set(seen.subarray(seen.length - width), (all.length + i) * width);
      const last = all.subarray(all.length - 1);
      const table = await base.draft(
        all.subarray(0, -1),
        Int32Array.of(...last, ...head),
        masks,
        rows.map((row) => row - 1),
        told,
      );
      hold(last, seen);
      return table;
    },
    truncate(length) {
      if (length >= this.length) return;
      base.truncate(Math.max(0, length - 1));
      hold(none, new Float32Array(0));
    },
    dispose: () => base.dispose(),
  };
}
