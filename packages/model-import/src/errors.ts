import { DiffuSpecError } from "@diffuspec/contracts";

/** A file that is damaged, cut short, or made to do harm. */
export const parseError = (file: string, why: string, details: Record<string, unknown> = {}, cause?: unknown) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `${file} cannot be read`,
    why,
    next: "Get the file again from where it was published, and compare its checksum.",
    details: { file, ...details },
    cause,
  });

/** A sound file of a kind that no graph here can express. */
export const unsupported = (what: string, why: string, next: string, details: Record<string, unknown> = {}) =>
  new DiffuSpecError({ code: "ERR_UNSUPPORTED", what, why, next, details });

export const missing = (file: string, why: string, next: string) =>
  new DiffuSpecError({ code: "ERR_MODEL_FILE_MISSING", what: `${file} is missing`, why, next, details: { file } });

export const optionError = (option: string, value: unknown, rule: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${option} is ${JSON.stringify(value) ?? String(value)}`,
    why: `it must be ${rule}`,
    next: "Pass such a value, or leave the option out for its default.",
    details: { option, value },
  });
