import { badRequest } from "./api-error.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** The value of a field; null counts as left out, as in OpenAI's API. */
const given = (fields: Fields, name: string): unknown =>
  (Object.hasOwn(fields, name) ? fields[name] : null) ?? undefined;

/** @throws ApiError 400 unless low <= value <= high; JSON can write 1e309, which is Infinity and refused */
export function numberField(fields: Fields, name: string, low: number, high: number): number | undefined {
  const value = given(fields, name);
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(value >= low && value <= high))
    throw badRequest(`${name} must be a number in ${low}..${high}.`, name);
  return value;
}

/** As {@link numberField}, without `low` itself. */
export function positiveField(fields: Fields, name: string, high: number): number | undefined {
  const value = given(fields, name);
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(value > 0 && value <= high))
    throw badRequest(`${name} must be a number above 0 and at most ${high}.`, name);
  return value;
}

export function integerField(fields: Fields, name: string, low: number, high: number): number | undefined {
  const value = given(fields, name);
  if (value === undefined) return undefined;
  if (!isIntegerIn(value, low, high)) throw badRequest(`${name} must be an integer in ${low}..${high}.`, name);
  return value;
}

export function booleanField(fields: Fields, name: string): boolean {
  const value = given(fields, name);
  if (value !== undefined && typeof value !== "boolean") throw badRequest(`${name} must be true or false.`, name);
  return value ?? false;
}

/** An object, or {} where the field is left out. */
export function objectField(fields: Fields, name: string): Fields {
  const value = given(fields, name);
  if (value !== undefined && !isObject(value)) throw badRequest(`${name} must be an object.`, name);
  return value ?? {};
}

/** A string, or an array of at most `most` strings; none is empty or longer than `length` characters. */
export function stringsField(fields: Fields, name: string, most: number, length: number): readonly string[] {
  const value = given(fields, name);
  if (value === undefined) return [];
  const words: unknown[] = Array.isArray(value) ? value : [value];
  const fits = (word: unknown): word is string => typeof word === "string" && word !== "" && word.length <= length;
  if (words.length > most || !words.every(fits))
    throw badRequest(`${name} must be a string or at most ${most} strings, each of 1 to ${length} characters.`, name);
  return words;
}

/** @throws ApiError 400 for a field that is set and not to one of these values: what we cannot do is never ignored */
export function refuseSet(fields: Fields, name: string, neutral: readonly unknown[]): void {
  const value = given(fields, name);
  if (value !== undefined && !neutral.includes(value)) throw badRequest(`This server does not support ${name}.`, name);
}

export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isIntegerIn = (value: unknown, low: number, high: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high;
