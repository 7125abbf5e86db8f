/** A binary heap; `before(a, b)` says that a comes out first. */
export interface Heap<T> {
  readonly size: number;
  /** All of it, in no order that means anything. */
  readonly items: readonly T[];
  peek(): T;
  push(item: T): void;
  pop(): T;
  clear(): void;
}

export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];
  const swap = (a: number, b: number) => {
    const kept = items[a];
    items[a] = items[b];
    items[b] = kept;
  };
  return {
    get size() {
      return items.length;
    },
    items,
    peek: () => items[0],
    push(item) {
      items.push(item);
      for (let i = items.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (!before(items[i], items[parent])) break;
        swap(i, parent);
        i = parent;
      }
    },
    pop() {
      const top = items[0];
      const last = items.pop() as T;
      if (items.length > 0) items[0] = last;
      for (let i = 0; ; ) {
        const left = 2 * i + 1;
        if (left >= items.length) return top;
        const right = left + 1;
        const child = right < items.length && before(items[right], items[left]) ? right : left;
        if (!before(items[child], items[i])) return top;
        swap(i, child);
        i = child;
      }
    },
    clear() {
      items.length = 0;
    },
  };
}
