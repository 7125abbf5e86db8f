import { abortError, isDiffuSpecError } from "@diffuspec/contracts";

/** The error of a fired signal: the one the session itself gave as reason (closed), else ERR_ABORTED. */
export function stopError(signal: AbortSignal): Error {
  return isDiffuSpecError(signal.reason) ? (signal.reason as Error) : abortError(signal);
}

/** @throws ERR_ABORTED or ERR_CLOSED once the signal has fired. */
export function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw stopError(signal);
}

/**
 * Waits for foreign code no longer than until the signal fires or the time is up; the call may ask for a signal that then fires
 * too. What it answers later is dropped. A call that answers synchronously costs no timer, and no signal unless it asks.
 */
export function within<T>(
  call: (signal: () => AbortSignal) => T | PromiseLike<T>,
  limits: { signal: AbortSignal; timeoutMs: number; timeout: () => Error; late?: (value: T) => void },
): Promise<T> | T {
  let inner: AbortController | undefined;
  const answer = call(() => {
    inner ??= new AbortController();
    return inner.signal;
  });
  if (!isPromiseLike(answer)) return answer;
  const { signal, timeoutMs } = limits;
  return new Promise<T>((resolve, reject) => {
    let over = false;
    const settle = (finish: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const giveUp = (error: Error) =>
      settle(() => {
        reject(error);
        inner?.abort(error);
      });
    const onAbort = () => giveUp(stopError(signal));
    const timer = setTimeout(() => giveUp(limits.timeout()), timeoutMs);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    answer.then(
      (value) => (over ? limits.late?.(value) : settle(() => resolve(value))),
      (error) => settle(() => reject(error)),
    );
  });
}

function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
