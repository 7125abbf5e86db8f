import { DiffuSpecError } from "@diffuspec/contracts";

export type JsonObject = { readonly [key: string]: unknown };

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const parseError = (why: string, file = "tokenizer.json", cause?: unknown): DiffuSpecError =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `${file} cannot be used`,
    why,
    next: "Pass the file that belongs to the model, as its text or parsed.",
    details: { file },
    cause,
  });

/** The object in a JSON file given as its text or already parsed. @throws ERR_PARSE */
export function parseObject(json: unknown, file: string): JsonObject {
  let value = json;
  if (typeof json === "string")
    try {
      value = JSON.parse(json);
    } catch (cause) {
      throw parseError("it is not JSON", file, cause);
    }
  if (!isObject(value)) throw parseError("it does not hold an object", file);
  return value;
}
