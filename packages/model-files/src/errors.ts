import { DiffuSpecError } from "@diffuspec/contracts";

const RENEW =
  "Download or copy the model again; if you changed it on purpose, write a new manifest with createManifest().";

export const optionError = (option: string, why: string, value?: unknown): DiffuSpecError =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${option} cannot be used`,
    why,
    next: "Correct the option.",
    details: { option, value },
  });

export const manifestError = (source: string, why: string, cause?: unknown): DiffuSpecError =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `The manifest ${source} is not valid`,
    why,
    next: 'A manifest is {"format":1,"name":"org/name","files":{"path":{"bytes":1,"sha256":"..."}}}; createManifest() writes one.',
    details: { file: source },
    cause,
  });

/** A file that is not there, or shorter than it should be because it never came whole. */
export const missing = (
  file: string,
  why: string,
  details: Record<string, unknown> = {},
  next = RENEW,
  cause?: unknown,
) =>
  new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what: `The model file ${file} is missing`,
    why,
    next,
    details: { file, ...details },
    cause,
  });

/** A file that is not what the manifest says. */
export const altered = (file: string, what: string, expected: unknown, found: unknown, next = RENEW) =>
  new DiffuSpecError({
    code: "ERR_MODEL_FILE_ALTERED",
    what: `The model file ${file} is not the one in the manifest`,
    why: `its ${what} should be ${expected} and is ${found}`,
    next,
    details: { file, expected, found },
  });

/** A file that says which others there are, and does not. */
export const notAnIndex = (file: string, why: string): DiffuSpecError =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `${file} is no index of safetensors`,
    why,
    next: "Correct the registry's entry, or report it to whoever keeps the repository.",
    details: { file },
  });

export const errnoOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined;
