import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkConfig, type DecoderConfig } from "../config/decoder-config.ts";
import { idsOf } from "../config/from-json.ts";
import { missing, parseError, unsupported } from "../errors.ts";
import { rotaryTables } from "../graph/rope.ts";
import { readInitialisers, type StoredBytes } from "../onnx/initialisers.ts";
import { type Place, placesOf } from "./model-places.ts";
import type { ModelSource } from "./source.ts";
import { readFully } from "./tensor-file.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * A directory that importModel() or a recipe of ours wrote, as a model: its float32 weights where it has a weight file of
 * them, else its int8 ones, dequantised. Checksums are the loader's business and not looked at.
 *
 * @throws ERR_PARSE, ERR_MODEL_FILE_MISSING, ERR_UNSUPPORTED (int4 only; rotary scaling, which the manifest does not name)
 */
export async function modelDirectorySource(path: string): Promise<ModelSource> {
  const file = join(path, "manifest.json");
  const manifest = parse(new TextDecoder().decode(await fileIn(path, "manifest.json")), file);
  const target = (manifest.target ?? {}) as Json;
  const graphs = (target.graphs ?? {}) as Readonly<Record<string, { chain?: unknown } | undefined>>;
  const graph = graphs.fp32?.chain ?? graphs.int8?.chain;
  if (typeof graph !== "string")
    throw unsupported(
      `${path} has neither float32 nor int8 weights`,
      "blocks of four bits are not turned back",
      "Name the file or the folder that the model was imported from.",
    );
  const weights = createReader(path, graph, readInitialisers(await fileIn(path, graph), join(path, graph)));
  try {
    const config = configOf(target, weights.has, file);
    await checkRotary(config, weights, path);
    const places = placesOf(config, weights.has);
    const text = async (name: unknown) =>
      typeof name === "string" ? new TextDecoder().decode(await fileIn(path, name)) : undefined;
    const { mtimeMs, size } = await stat(file);
    return {
      path,
      config,
      shape(name) {
        const place = places.get(name);
        return place && { rows: place.rows, columns: place.columns, bytes: place.rows * place.columns };
      },
      readRows: (name, first, count) => weights.rows(places.get(name)!, first, count),
      tokenizer: await text(manifest.tokenizer),
      chatTemplate: await text(manifest.chatTemplate),
      licence: typeof manifest.licence === "string" ? manifest.licence : undefined,
      parameters: [...places.values()].reduce((sum, { rows, columns }) => sum + rows * columns, 0),
      fingerprint: `${size}:${mtimeMs}`,
      close: weights.close,
    };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

type Reader = ReturnType<typeof createReader>;

function createReader(path: string, graph: string, stored: ReadonlyMap<string, StoredBytes>) {
  const files = new Map<string, FileHandle>();
  /** One matrix, turned: the parts of a fused one are read after one another. */
  let turned: { readonly name: string; readonly values: Float32Array } | undefined;

  async function bytes(name: string, whole: number, from: number, length: number): Promise<ArrayBuffer> {
    const data = stored.get(name);
    if (data === undefined) throw parseError(join(path, graph), `it has no tensor ${name}`, { tensor: name });
    if (data.length !== whole)
      throw parseError(join(path, graph), `its tensor ${name} has ${data.length} bytes, not ${whole}`, {
        tensor: name,
      });
    const out = new Uint8Array(length);
    if (data instanceof Uint8Array) out.set(data.subarray(from, from + length));
    else {
      const file = join(path, data.location);
      if (!files.has(file))
        files.set(file, await open(file, "r").catch(() => Promise.reject(absent(path, data.location))));
      await readFully(files.get(file)!, file, out, data.offset + from);
    }
    return out.buffer;
  }
  const floats = async (name: string, whole: number, from = 0, count = whole) =>
    new Float32Array(await bytes(name, 4 * whole, 4 * from, 4 * count));

  /** Values [from, from + count) of a matrix, as they lie, without scales. */
  const values = async (name: string, whole: number, from = 0, count = whole): Promise<Float32Array | Int8Array> =>
    stored.has(`${name}.w`)
      ? floats(`${name}.w`, whole, from, count)
      : new Int8Array(await bytes(`${name}.q`, whole, from, count));
  const scalesOf = async (name: string, outputs: number) =>
    stored.has(`${name}.w`) ? new Float32Array(outputs).fill(1) : floats(`${name}.s`, outputs);

  async function turn({ stored: name, outputs, columns }: Place): Promise<Float32Array> {
    if (turned?.name === name) return turned.values;
    const [from, scales] = [await values(name, outputs * columns), await scalesOf(name, outputs)];
    const to = new Float32Array(from.length);
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < columns; i++) to[o * columns + i] = from[i * outputs + o]! * scales[o]!;
    turned = { name, values: to };
    return to;
  }

  return {
    has: (name: string) => stored.has(name),
    /** Row 1 of the rotary table: the sines of the frequencies. */
    sinesOfOne: async (half: number) => floats("sin", (stored.get("sin")?.length ?? 0) / 4, half, half),
    async rows(place: Place, from: number, count: number): Promise<Float32Array> {
      const { stored: name, kind, outputs, first, columns } = place;
      if (kind === "vector") return floats(name, outputs, first, columns);
      if (kind === "columns")
        return (await turn(place)).slice((first + from) * columns, (first + from + count) * columns);
      const scales = await scalesOf(name, outputs);
      const some = await values(name, outputs * columns, from * columns, count * columns);
      return Float32Array.from(some, (value, i) => value * scales[from + Math.floor(i / columns)]!);
    },
    close: async () => void (await Promise.all([...files.values()].map((file) => file.close()))),
  };
}

function configOf(target: Json, has: (name: string) => boolean, file: string): DecoderConfig {
  const fail = (why: string) => parseError(file, why);
  const number = (name: string): number => {
    const value = target[name];
    if (typeof value === "number" && value > 0 && value < 2 ** 31) return value;
    throw fail(`its target's ${name} is ${JSON.stringify(value)}`);
  };
  const size = (name: string): number => {
    const value = number(name);
    if (Number.isInteger(value)) return value;
    throw fail(`its target's ${name} is ${value}`);
  };
  const bosId = target.bosId;
  return checkConfig(
    {
      family: has("0.q_norm") ? "qwen3" : has("0.qkv.b") ? "qwen2" : "llama",
      layers: size("layers"),
      width: size("width"),
      heads: size("heads"),
      kvHeads: size("kvHeads"),
      headDim: size("headDim"),
      hidden: size("hidden"),
      vocabularySize: size("vocabularySize"),
      epsilon: number("epsilon"),
      rope: { theta: number("ropeTheta") },
      contextLength: size("contextLength"),
      eosIds: idsOf(target.eosIds, fail),
      ...(typeof bosId === "number" && { bosId }),
    },
    fail,
  );
}

/** The manifest names theta alone; whether more was done to the frequencies is seen in the table. */
async function checkRotary({ rope, headDim }: DecoderConfig, weights: Reader, path: string): Promise<void> {
  const half = headDim / 2;
  const { sin } = rotaryTables(rope, headDim, 2);
  const stored = await weights.sinesOfOne(half);
  if (stored.every((value, i) => Math.abs(value - sin[half + i]!) < 1e-6)) return;
  throw unsupported(
    `${path} scales its rotary positions`,
    "its manifest does not say how",
    "Name the file or the folder that the model was imported from.",
  );
}

async function fileIn(path: string, name: string): Promise<Uint8Array> {
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name))
    throw parseError(path, `its manifest names the file ${JSON.stringify(name)}`);
  return readFile(join(path, name)).catch(() => Promise.reject(absent(path, name)));
}

function parse(text: string, file: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw parseError(file, "it is no JSON", {}, cause);
  }
}

const absent = (path: string, name: string) =>
  missing(join(path, name), "the model directory needs it", "Import or download the model again.");
