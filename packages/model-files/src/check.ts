/** Why a value is not what it should be, as "AT is ..."; undefined where it is. */
export type Check = (value: unknown, at: string) => string | undefined;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A text of 1 to `most` characters. */
export const text =
  (most = 500): Check =>
  (value, at) =>
    typeof value === "string" && value.trim() !== "" && value.length <= most
      ? undefined
      : `${at} is ${show(value)} and should be a text of 1 to ${most} characters`;

export const matching =
  (holds: (value: string) => boolean, rule: string): Check =>
  (value, at) =>
    typeof value === "string" && holds(value) ? undefined : `${at} is ${show(value)} and should be ${rule}`;

export const integer =
  (least: number): Check =>
  (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= least
      ? undefined
      : `${at} is ${show(value)} and should be an integer of at least ${least}`;

export const number: Check = (value, at) =>
  typeof value === "number" && Number.isFinite(value) ? undefined : `${at} is ${show(value)} and should be a number`;

export const oneOf = (...allowed: readonly unknown[]): Check =>
  matchingAny((value) => allowed.includes(value), `one of ${allowed.map(show).join(", ")}`);

export const optional =
  (check: Check): Check =>
  (value, at) =>
    value === undefined ? undefined : check(value, at);

export const orNull =
  (check: Check): Check =>
  (value, at) =>
    value === null ? undefined : check(value, at);

export const list =
  (check: Check, least: number, most: number): Check =>
  (value, at) => {
    if (!Array.isArray(value) || value.length < least || value.length > most)
      return `${at} is ${show(value)} and should be a list of ${least} to ${most}`;
    return first(value.map((item, i) => () => check(item, `${at}[${i}]`)));
  };

/** An object with these fields and no others: a misspelt one must not be ignored. */
export const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, at) => {
    if (!isObject(value)) return `${at} is ${show(value)} and should be an object`;
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(fields, key));
    if (unknown !== undefined)
      return `${at} has the unknown field ${show(unknown)}; its fields are ${Object.keys(fields).join(", ")}`;
    return first(
      Object.entries(fields).map(
        ([key, check]) =>
          () =>
            check(value[key], `${at}.${key}`),
      ),
    );
  };

/** An object whose field `tag` says which of several shapes it has. */
export const tagged =
  (tag: string, shapes: Readonly<Record<string, Readonly<Record<string, Check>>>>): Check =>
  (value, at) => {
    if (!isObject(value)) return `${at} is ${show(value)} and should be an object`;
    const shape = typeof value[tag] === "string" && Object.hasOwn(shapes, value[tag]) ? shapes[value[tag]] : undefined;
    if (shape === undefined) return oneOf(...Object.keys(shapes))(value[tag], `${at}.${tag}`);
    return object({ [tag]: text(), ...shape })(value, at);
  };

const matchingAny =
  (holds: (value: unknown) => boolean, rule: string): Check =>
  (value, at) =>
    holds(value) ? undefined : `${at} is ${show(value)} and should be ${rule}`;

/** Later checks run only where the earlier ones pass: they may rely on them. */
export function first(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const fault = check();
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function show(value: unknown): string {
  if (value === undefined) return "missing";
  const said = JSON.stringify(value) ?? String(value);
  return said.length > 60 ? `${said.slice(0, 60)}...` : said;
}
