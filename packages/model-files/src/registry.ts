import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import {
  first,
  integer,
  isObject,
  list,
  matching,
  number,
  object,
  oneOf,
  optional,
  orNull,
  tagged,
  text,
} from "./check.ts";
import { errnoOf } from "./errors.ts";
import builtIn from "./pairs.json" with { type: "json" };
import { isModelName, pathFault } from "./paths.ts";
import type { HubFiles, PairEntry, Registry } from "./registry-types.ts";

const MAX_BYTES = 2 ** 20;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * Checks the content of a registry: `{ "format": 1, "pairs": { NAME: { ... } } }`, the fields as in {@link PairEntry}.
 *
 * @param source shown in errors
 * @throws ERR_PARSE naming the first field that is wrong
 */
export function parseRegistry(content: string | object, source: string, dir?: string): Registry {
  return read(typeof content === "string" ? content : JSON.stringify(content), source, dir, false);
}

/** A registry file. @throws ERR_MODEL_FILE_MISSING where there is none, ERR_PARSE */
export async function readRegistry(path: string): Promise<Registry> {
  const file = resolve(path);
  try {
    if ((await stat(file)).size > MAX_BYTES) throw wrong(file, `it is larger than ${MAX_BYTES} bytes`);
    return parseRegistry(await readFile(file, "utf8"), file, dirname(file));
  } catch (cause) {
    const code = errnoOf(cause);
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EISDIR") throw cause;
    throw new DiffuSpecError({
      code: "ERR_MODEL_FILE_MISSING",
      what: `The registry ${path} cannot be read`,
      why: code === "EISDIR" ? `${file} is a directory` : `there is no file ${file}`,
      next: "Pass the path of a JSON file, or leave the option out for the built-in pairs.",
      details: { file },
      cause,
    });
  }
}

let known: Registry | undefined;

/** The pairs that this package knows by itself. */
export function builtInRegistry(): Registry {
  known ??= read(JSON.stringify(builtIn), "built-in", undefined, true);
  return known;
}

function read(content: string, source: string, dir: string | undefined, trusted: boolean): Registry {
  let value: unknown;
  try {
    value = JSON.parse(content, (key, inner) => {
      if (key === "__proto__") throw new SyntaxError('the key "__proto__" is not allowed');
      return inner;
    });
  } catch (cause) {
    throw wrong(source, (cause as Error).message, cause);
  }
  if (content.length > MAX_BYTES) throw wrong(source, `it is larger than ${MAX_BYTES} bytes`);
  const fault = registryFault(value, trusted);
  if (fault !== undefined) throw wrong(source, fault);
  const { pairs } = value as { pairs: Record<string, Omit<PairEntry, "name">> };
  return { source, dir, pairs: Object.entries(pairs).map(([name, entry]) => ({ name, ...entry })) };
}

function registryFault(value: unknown, trusted: boolean): string | undefined {
  if (!isObject(value)) return "it does not hold an object";
  if (value.format !== 1) return `its format is ${JSON.stringify(value.format)}; this version reads format 1`;
  const extra = Object.keys(value).find((key) => key !== "format" && key !== "pairs");
  if (extra !== undefined) return `it has the unknown field ${JSON.stringify(extra)}`;
  if (!isObject(value.pairs)) return "pairs is not an object";
  const entries = Object.entries(value.pairs);
  if (entries.length === 0 || entries.length > 1000) return `it has ${entries.length} pairs; 1 to 1000 are allowed`;
  return first(
    entries.map(
      ([name, entry]) =>
        () =>
          nameFault(name) ?? entryFault(entry, `pairs.${name}`, trusted),
    ),
  );
}

const nameFault = (name: string) =>
  NAME.test(name) && pathFault(name) === undefined
    ? undefined
    : `the name ${JSON.stringify(name)} is not one of lower-case letters, digits, ".", "_" and "-"`;

const relativePath = matching((path) => pathFault(path) === undefined, 'a relative path with "/" between its parts');
const hex64 = matching((value) => /^[0-9a-f]{64}$/.test(value), "64 lower-case hexadecimal digits");
const part = object({
  model: matching(isModelName, "of the form org/name"),
  licence: text(100),
  parameters: integer(1),
});
const file = object({
  path: relativePath,
  bytes: optional(integer(0)),
  sha256: optional(hex64),
  shards: optional(oneOf(true)),
});
const hubFiles = (formats: readonly string[], more: Record<string, ReturnType<typeof optional>>) =>
  object({
    repository: matching(isModelName, "of the form org/name"),
    revision: optional(matching((name) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name), "a branch, tag or commit")),
    format: oneOf(...formats),
    files: list(file, 1, 200),
    main: optional(relativePath),
    bytes: integer(1),
    ...more,
  });
const canvas = object({
  maskId: optional(integer(0)),
  eosIds: optional(list(integer(0), 1, 20)),
  shift: optional(oneOf(0, 1)),
  vocabularySize: optional(integer(1)),
  blockSize: optional(integer(1)),
  window: optional(integer(1)),
  maxLength: optional(integer(1)),
});
const sources = {
  // A registry is data. The one way from here to running code, a package that is imported, is the built-in one's alone.
  package: { package: text(200) },
  directory: { path: text(1000) },
  hub: {
    target: hubFiles(["gguf", "safetensors", "onnx"], {}),
    drafter: optional(hubFiles(["onnx"], { preset: optional(text(50)), canvas: optional(canvas) })),
    import: optional(
      object({
        precision: optional(list(oneOf("int8", "fp32", "int4"), 1, 3)),
        contextLength: optional(integer(2)),
      }),
    ),
  },
};
const measurement = object({
  what: text(),
  value: number,
  unit: text(50),
  where: text(),
  source: text(),
});
const entryWith = (allowed: Partial<typeof sources>) =>
  object({
    title: text(),
    target: part,
    drafter: orNull(part),
    source: tagged("kind", allowed),
    load: optional(object({ drafter: optional(text(50)), precision: optional(text(50)) })),
    obtain: optional(list(text(), 1, 10)),
    notes: optional(text(2000)),
    measured: orNull(list(measurement, 1, 100)),
    notMeasured: optional(text()),
  });
const ownEntry = entryWith({ directory: sources.directory, hub: sources.hub });
const builtInEntry = entryWith(sources);

function entryFault(entry: unknown, at: string, trusted: boolean): string | undefined {
  return (
    (trusted ? builtInEntry : ownEntry)(entry, at) ??
    first([
      () => measuredFault(entry as PairEntry, at),
      () => {
        const { source } = entry as PairEntry;
        if (source.kind !== "hub") return undefined;
        const { target, drafter, import: importing } = source;
        if (target.format === "onnx" && importing !== undefined)
          return `${at}.source.import is not for an onnx target, which is not imported`;
        if (drafter && drafter.preset === undefined && drafter.canvas?.maskId === undefined)
          return `${at}.source.drafter has neither preset nor canvas.maskId`;
        return hubFault(target, `${at}.source.target`) ?? (drafter && hubFault(drafter, `${at}.source.drafter`));
      },
    ])
  );
}

function measuredFault({ measured, notMeasured }: PairEntry, at: string): string | undefined {
  if (measured === null && notMeasured === undefined)
    return `${at}.measured is null, and ${at}.notMeasured gives no reason`;
  if (measured !== null && notMeasured !== undefined) return `${at} has both measured and notMeasured`;
  return undefined;
}

function hubFault({ files, main, format }: HubFiles, at: string): string | undefined {
  const paths = files.map(({ path }) => path);
  if (new Set(paths.map((path) => path.toLowerCase())).size < paths.length) return `${at}.files names a file twice`;
  if (format === "safetensors") return main === undefined ? undefined : `${at}.main is not for safetensors`;
  if (main === undefined || !paths.includes(main)) return `${at}.main is not one of its files`;
  return undefined;
}

const wrong = (source: string, why: string, cause?: unknown) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `The registry of pairs ${source} is not valid`,
    why,
    next: "Correct it; the README of @diffuspec/model-files describes the format.",
    details: { source },
    cause,
  });
