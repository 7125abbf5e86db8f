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
 * Waits for foreign code no longer than until the signal fires or the time is up; `abandoned` is told then. What the call answers
 * later is dropped, or given to `late`. A call that answers synchronously costs no timer.
 */
export function within<T>(
  call: () => T | PromiseLike<T>,
  limits: {
    signal: AbortSignal;
    timeoutMs: number;
    timeout: () => Error;
    abandoned: (error: Error) => void;
    late?: (value: T) => void;
  },
): Promise<T> | T {
  const answer = call();
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
        limits.abandoned(error);
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
