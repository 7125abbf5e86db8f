import { DiffuSpecError } from "@diffuspec/contracts";

/** @throws ERR_OPTION unless value is an integer in low..high */
export function checkInteger(name: string, value: unknown, low: number, high: number): void {
  if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) return;
  throw new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${name} is ${String(value)}`,
    why: `${name} is an integer from ${low} to ${high}`,
    next: "Pass such a number, or leave the option out.",
    details: { option: name, value },
  });
}

/** @throws ERR_OPTION when options carry a key that is not known */
export function checkKeys(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new DiffuSpecError({
    code: "ERR_OPTION",
    what: `There is no option ${JSON.stringify(unknown)}`,
    why: `the options are ${known.join(", ")}`,
    next: "Remove it or correct its spelling.",
    details: { option: unknown },
  });
}

/** The error of a session that was used before begin() or after dispose(). */
export function notRunning(drafter: string, disposed: boolean): DiffuSpecError {
  return disposed
    ? new DiffuSpecError({
        code: "ERR_CLOSED",
        what: `A session of ${drafter} was used after dispose()`,
        why: "a disposed session holds nothing any more",
        next: "Open a new session.",
      })
    : new DiffuSpecError({
        code: "ERR_CONTRACT",
        what: `A session of ${drafter} was used before begin()`,
        why: "it does not know the ids so far",
        next: "Call begin({ ids, sampler }) first.",
      });
}
