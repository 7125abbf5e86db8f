import type { Boundaries, Stream } from "./count.ts";

export interface CorpusOptions {
  readonly boundaries: Boundaries;
  readonly order: number;
  /** Throws for an id that a sequence may not hold. */
  readonly check: (id: number) => void;
  /** Room for so many ids at once, more than the order. */
  readonly mostTokens: number;
  /** Is handed what is gathered each time the room is used up, to count it or to refuse; reads it before it returns. */
  readonly full: (part: Stream) => void;
}

/** Gathers sequences behind one another. */
export interface Corpus {
  add(sequence: ArrayLike<number>): void;
  /** What is left: all of it, where the room was enough. */
  rest(): Stream;
}

/**
 * Where a sequence goes on after its part is handed out, its last order - 1 ids stay: no n-gram begins there yet (`left` is
 * 0), as its end is still to come.
 */
export function createCorpus({ boundaries, order, check, mostTokens, full }: CorpusOptions): Corpus {
  const { begin, end } = boundaries;
  let ids = new Uint32Array(Math.min(1 << 16, mostTokens));
  let left = new Uint32Array(ids.length);
  let length = 0;
  /** Where the sequence at hand begins. */
  let start = 0;

  const gathered = () => ({ ids: ids.subarray(0, length), left: left.subarray(0, length) });

  function put(id: number): void {
    if (length === mostTokens) handOut();
    if (length === ids.length) {
      const room = Math.min(2 * ids.length, mostTokens);
      ids = grown(ids, room);
      left = grown(left, room);
    }
    ids[length++] = id;
  }

  function handOut(): void {
    const kept = Math.max(start, length - order + 1);
    for (let p = start; p < length; p++) left[p] = p < kept ? length - p : 0;
    full(gathered());
    ids.copyWithin(0, kept, length);
    length -= kept;
    start = 0;
  }

  return {
    add(sequence) {
      start = length;
      if (begin !== undefined) put(begin);
      for (let i = 0; i < sequence.length; i++) {
        check(sequence[i]!);
        put(sequence[i]!);
      }
      if (end !== undefined) put(end);
      for (let p = start; p < length; p++) left[p] = length - p;
      start = length;
    },
    rest: gathered,
  };
}

function grown(from: Uint32Array, room: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(room);
  to.set(from);
  return to;
}
