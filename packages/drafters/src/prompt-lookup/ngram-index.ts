/** Ids are below 2 ** 21 and there are fewer than 2 ** 32 different grams, so that a pair of them fits a safe integer. */
const ID_RANGE = 2 ** 21;

/**
 * The text of one generation and, for every n-gram of it, where it ended: a push is O(max order), a look-up O(1)
 * (latest: O(continuation)). A gram is named by a small integer, interned from the name of all but its last token and
 * that token, so equal names mean equal tokens and no hash needs checking.
 */
export class NgramIndex {
  readonly #maxOrder: number;
  #ids = new Int32Array(256);
  #length = 0;
  /** (name of the gram without its last token, last token) -> name. The empty gram is 0. */
  readonly #names = new Map<number, number>();
  /** By name: the position right behind the first and the last occurrence. */
  readonly #first: number[] = [-1];
  readonly #last: number[] = [-1];
  /** By position * maxOrder + n - 1: the end of the occurrence before this one. */
  readonly #before: number[] = [];
  /** Names of the grams of length 1..maxOrder that end the text. */
  #suffix: number[] = [];

  constructor(maxOrder: number) {
    this.#maxOrder = maxOrder;
  }

  get length(): number {
    return this.#length;
  }

  at(position: number): number {
    return this.#ids[position]!;
  }

  isPrefixOf(ids: Int32Array): boolean {
    if (this.#length > ids.length) return false;
    for (let i = 0; i < this.#length; i++) if (this.#ids[i] !== ids[i]) return false;
    return true;
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) {
      const grown = new Int32Array(this.#length * 2);
      grown.set(this.#ids);
      this.#ids = grown;
    }
    this.#ids[this.#length++] = id;
    const suffix: number[] = [];
    for (let n = 1; n <= Math.min(this.#maxOrder, this.#length); n++) {
      const key = (n === 1 ? 0 : this.#suffix[n - 2]!) * ID_RANGE + id;
      let name = this.#names.get(key);
      if (name === undefined) {
        name = this.#first.length;
        this.#names.set(key, name);
        this.#first.push(this.#length);
        this.#last.push(-1);
      }
      this.#before[(this.#length - 1) * this.#maxOrder + n - 1] = this.#last[name]!;
      this.#last[name] = this.#length;
      suffix.push(name);
    }
    this.#suffix = suffix;
  }

  /** Names of the grams of length 1, 2, ... that end text + tail, up to the first length that never occurred. */
  suffixGrams(tail: Int32Array): readonly number[] {
    let grams = this.#suffix;
    for (const id of tail) {
      const longer: number[] = [];
      for (let n = 1; n <= Math.min(this.#maxOrder, grams.length + 1); n++) {
        const name = this.#names.get((n === 1 ? 0 : grams[n - 2]!) * ID_RANGE + id);
        if (name === undefined) break;
        longer.push(name);
      }
      grams = longer;
    }
    return grams;
  }

  /** The position behind the first occurrence of a gram that ends before `total`, or -1. */
  earliest(gram: number, total: number): number {
    return this.#first[gram]! < total ? this.#first[gram]! : -1;
  }

  /** The position behind the last occurrence of an n-gram with `full` tokens up to `total`; else with most; else -1. */
  latest(gram: number, n: number, total: number, full: number): number {
    let best = -1;
    for (let end = this.#last[gram]!; end !== -1; end = this.#before[(end - 1) * this.#maxOrder + n - 1]!) {
      if (end < total) best = end;
      if (total - end >= full) break;
    }
    return best;
  }
}
