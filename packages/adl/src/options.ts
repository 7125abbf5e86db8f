import { DiffuSpecError, type RoundObservation } from "@diffuspec/contracts";

export const bad = (controller: string, option: string, value: unknown, why: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${controller} option ${option} is ${String(value)}`,
    why,
    next: "The exported presets of @diffuspec/adl show valid values.",
    details: { option, value },
  });

/** @throws ERR_OPTION for an option that is not among the known ones: a misspelt one would silently do nothing. */
export function checkNames(controller: string, options: object, known: object): void {
  for (const name of Object.keys(options))
    if (!(name in known)) throw bad(controller, name, "given", `the options are ${Object.keys(known).join(", ")}`);
}

export const isCount = (value: number) => Number.isInteger(value) && value >= 0;

/** @throws ERR_CONTRACT: one NaN would stay in an average for ever. */
export function checkRound(round: RoundObservation): void {
  for (const name of ["length", "drafted", "generatedLength", "accepted", "rows"] as const)
    if (!isCount(round[name])) throw unusable(name, round[name], "an integer >= 0");
  for (const name of ["draftMs", "verifyMs"] as const)
    if (!(round[name] >= 0 && round[name] < Number.POSITIVE_INFINITY))
      throw unusable(name, round[name], "a number of milliseconds");
}

/** @throws ERR_CONTRACT */
export function checkLimit(limit: number): void {
  if (!isCount(limit)) throw unusable("limit", limit, "an integer >= 0");
}

const unusable = (field: string, value: number, expected: string) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `A length controller was told that ${field} is ${value}`,
    why: `it should be ${expected}`,
    next: "Check the loop, or the drafter that reported it.",
    details: { field, value },
  });
