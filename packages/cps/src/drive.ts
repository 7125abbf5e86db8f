/**
 * Runs a search written as a generator that yields whatever may be a promise. As long as none is, it runs to the end
 * at once and gives a plain value: a table look-up should not pay for a promise.
 */
export function drive<T>(steps: Generator<unknown, T, unknown>): T | Promise<T> {
  let step = steps.next();
  while (!step.done) {
    if (isThenable(step.value)) return wait(steps, step.value);
    step = steps.next(step.value);
  }
  return step.value;
}

async function wait<T>(steps: Generator<unknown, T, unknown>, first: unknown): Promise<T> {
  let step = steps.next(await first);
  while (!step.done) step = steps.next(await step.value);
  return step.value;
}

export const isThenable = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
