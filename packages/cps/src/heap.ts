/**
 * A binary heap; `before(a, b)` says that a comes out first. What came out is held until something takes its place: setting an
 * array's length leaves compiled code.
 */
export interface Heap<T> {
  readonly size: number;
  /** A copy of all of it, in no order that means anything. */
  items(): T[];
  peek(): T;
  push(item: T): void;
  pop(): T;
  clear(): void;
}

export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];
  let size = 0;
  const swap = (a: number, b: number) => {
    const kept = items[a];
    items[a] = items[b];
    items[b] = kept;
  };
  return {
    get size() {
      return size;
    },
    items: () => items.slice(0, size),
    peek: () => items[0],
    push(item) {
      items[size] = item;
      for (let i = size++; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (!before(items[i], items[parent])) break;
        swap(i, parent);
        i = parent;
      }
    },
    pop() {
      const top = items[0];
      items[0] = items[--size];
      for (let i = 0; ; ) {
        const left = 2 * i + 1;
        if (left >= size) return top;
        const right = left + 1;
        const child = right < size && before(items[right], items[left]) ? right : left;
        if (!before(items[child], items[i])) return top;
        swap(i, child);
        i = child;
      }
    },
    clear() {
      size = 0;
    },
  };
}
