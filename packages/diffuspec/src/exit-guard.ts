/**
 * Ending a process while the runtime computes in a worker crashes it: Node tears the thread down inside a native call. So a
 * counter is shared: the main thread raises it with every call it sends, the worker lowers it when the call has ended, and
 * a process that exits meanwhile aborts the call and waits for the pass to end.
 */
const MOST_MS = 5_000;

interface Guard {
  readonly calls: Int32Array;
  readonly abort: () => void;
}

const guards = new Set<Guard>();

/** In the main thread. @param abort sends the worker word to stop; called while the process exits */
export function guardExit(abort: () => void): { readonly calls: Int32Array; raise(): void; release(): void } {
  const guard: Guard = { calls: new Int32Array(new SharedArrayBuffer(4)), abort };
  if (guards.size === 0) process.on("exit", waitForAll);
  guards.add(guard);
  return {
    calls: guard.calls,
    raise: () => void Atomics.add(guard.calls, 0, 1),
    release() {
      guards.delete(guard);
      if (guards.size === 0) process.off("exit", waitForAll);
    },
  };
}

/** In the worker: a call has ended. */
export function settle(calls: Int32Array): void {
  Atomics.sub(calls, 0, 1);
  Atomics.notify(calls, 0);
}

function waitForAll(): void {
  for (const { abort } of guards) abort();
  const end = Date.now() + MOST_MS;
  for (const { calls } of guards)
    for (let count = Atomics.load(calls, 0); count > 0 && Date.now() < end; count = Atomics.load(calls, 0))
      Atomics.wait(calls, 0, count, Math.max(0, end - Date.now()));
}
