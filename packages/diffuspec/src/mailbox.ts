/** A queue between a callback that puts and an async reader that takes; after an end or an error nothing is put any more. */
export interface Mailbox<T> {
  put(item: T): void;
  /** The reader gets what is there, then undefined. */
  end(): void;
  /** The reader gets this error next; what was not taken is dropped. */
  fail(error: Error): void;
  /** One reader at a time. */
  take(): Promise<T | undefined>;
}

export function createMailbox<T>(): Mailbox<T> {
  let items: T[] = [];
  let over: { error?: Error } | undefined;
  let wake: (() => void) | undefined;
  const stir = () => {
    wake?.();
    wake = undefined;
  };
  return {
    put(item) {
      if (over) return;
      items.push(item);
      stir();
    },
    end() {
      over ??= {};
      stir();
    },
    fail(error) {
      if (over?.error) return;
      over = { error };
      items = [];
      stir();
    },
    async take() {
      while (items.length === 0 && !over) await new Promise<void>((resolve) => (wake = resolve));
      if (items.length > 0) return items.shift();
      if (over?.error) throw over.error;
      return undefined;
    },
  };
}
