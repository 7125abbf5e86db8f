import { DiffuSpecError } from "@diffuspec/contracts";

/** @throws ERR_OPTION where a key is not one of `known`; a misspelt option must not be ignored. */
export function refuseUnknown(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw optionError(`The argument of ${owner}`, options, "an object of options");
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new DiffuSpecError({
        code: "ERR_OPTION",
        what: `${owner} does not know the option "${name}"`,
        why: `its options are ${known.join(", ")}`,
        next: "Remove it or correct its spelling.",
        details: { option: name, known },
      });
}

export function optionError(option: string, value: unknown, rule: string): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${option} is ${show(value)}`,
    why: `it must be ${rule}`,
    next: "Pass such a value, or leave the option out for its default.",
    details: { option },
  });
}

export function requireInteger(option: string, value: unknown, low: number, high: number): void {
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high)
    throw optionError(option, value, `an integer in ${low}..${high}`);
}

/** @throws ERR_OPTION unless low <= value <= high; NaN is refused. */
export function requireNumber(option: string, value: unknown, low: number, high: number): void {
  if (typeof value !== "number" || !(value >= low && value <= high))
    throw optionError(option, value, `a number in ${low}..${high}`);
}

export function requireOneOf(option: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(value as string))
    throw optionError(option, value, `one of ${allowed.map((name) => JSON.stringify(name)).join(", ")}`);
}

export function requireSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && !(typeof signal?.aborted === "boolean" && typeof signal.addEventListener === "function"))
    throw optionError("signal", signal, "an AbortSignal");
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The object without keys whose value is undefined, so that a spread does not overwrite a default with nothing. */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
