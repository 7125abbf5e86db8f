import { DiffuSpecError } from "@diffuspec/contracts";

/** The error of one bad option. */
export function optionError(name: string, value: unknown, rule: string): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${name} is ${show(value)}`,
    why: `it must be ${rule}`,
    next: "Pass a value in that range, or leave the option out for its default.",
    details: { option: name, value },
  });
}

/** @throws ERR_OPTION where a key is not one of `known`; a misspelt option must not be ignored. */
export function refuseUnknown(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw optionError(owner, options, "an object of options");
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new DiffuSpecError({
        code: "ERR_OPTION",
        what: `${owner} does not know the option "${name}"`,
        why: `its options are ${known.join(", ")}`,
        next: "Remove it or correct its spelling.",
        details: { option: name },
      });
}

/** @throws ERR_OPTION unless `value` is an integer in low..high. */
export function requireInteger(name: string, value: number, low: number, high = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isSafeInteger(value) || value < low || value > high)
    throw optionError(
      name,
      value,
      high === Number.MAX_SAFE_INTEGER ? `an integer >= ${low}` : `an integer in ${low}..${high}`,
    );
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
