import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { configFromJson } from "../config/from-json.ts";
import { missing, parseError } from "../errors.ts";
import { bosOf } from "../tokenizer/bos.ts";
import { openSafetensors } from "./safetensors.ts";
import type { ModelSource } from "./source.ts";
import { columnsOf, rowsOf, type TensorFile } from "./tensor-file.ts";

type Json = Readonly<Record<string, unknown>>;
const MOST_JSON_BYTES = 2 ** 26;
const NEXT = "Pass the folder of a Hugging Face model (config.json, *.safetensors, tokenizer.json), or a .gguf file.";

/** A folder with config.json and safetensors, in one file or in shards, as a model. @throws ERR_PARSE, ERR_UNSUPPORTED, ERR_MODEL_FILE_MISSING */
export async function directorySource(path: string): Promise<ModelSource> {
  const read = (name: string) => readJson(path, name);
  const configJson = await read("config.json");
  if (configJson === undefined)
    throw missing(join(path, "config.json"), "a model's configuration is read from it", NEXT);
  const tokenizer = await read("tokenizer.json");
  const tokenizerConfig = (await read("tokenizer_config.json")) ?? {};
  const config = configFromJson(configJson, (await read("generation_config.json")) ?? {}, join(path, "config.json"));
  const bosId = bosOf(tokenizer, tokenizerConfig);
  const names = await shardNames(path, await read("model.safetensors.index.json"));

  const files: TensorFile[] = [];
  const close = async () => void (await Promise.all(files.map((file) => file.close())));
  try {
    for (const name of names) files.push(await openSafetensors(join(path, name)));
    const owner = new Map<string, TensorFile>();
    for (const file of files)
      for (const name of file.tensors.keys()) {
        if (owner.has(name)) throw parseError(file.path, `its tensor ${JSON.stringify(name)} is in another shard too`);
        owner.set(name, file);
      }
    const find = (name: string) => owner.get(name)?.tensors.get(name);
    const all = [...owner.keys()].map((name) => find(name)!);
    return {
      path,
      config: bosId === undefined ? config : { ...config, bosId },
      shape(name) {
        const tensor = find(name);
        return tensor && { rows: rowsOf(tensor), columns: columnsOf(tensor), bytes: tensor.bytes };
      },
      readRows: (name, first, count) => owner.get(name)!.readRows(find(name)!, first, count),
      tokenizer,
      chatTemplate: await templateOf(path, tokenizerConfig),
      licence: undefined,
      parameters: all.reduce((sum, tensor) => sum + rowsOf(tensor) * columnsOf(tensor), 0),
      fingerprint: await fingerprint(path, names),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The files an index names lie in its folder; a name that leads out of it is refused. */
async function shardNames(path: string, index: Json | undefined): Promise<string[]> {
  if (index === undefined) {
    const single = "model.safetensors";
    if ((await stat(join(path, single)).catch(() => undefined)) === undefined)
      throw missing(join(path, single), "no weights are there, and no model.safetensors.index.json", NEXT);
    return [single];
  }
  const map = index.weight_map;
  const source = join(path, "model.safetensors.index.json");
  if (typeof map !== "object" || map === null) throw parseError(source, "it has no weight_map");
  const names = [...new Set(Object.values(map))];
  for (const name of names)
    if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$/.test(name))
      throw parseError(source, `it names the file ${JSON.stringify(name)}`);
  if (names.length === 0 || names.length > 1000) throw parseError(source, `it names ${names.length} files`);
  return names as string[];
}

/** Undefined where there is no such file. @throws ERR_PARSE */
async function readJson(path: string, name: string): Promise<Json | undefined> {
  const file = join(path, name);
  const stats = await stat(file).catch(() => undefined);
  if (stats === undefined) return undefined;
  if (!stats.isFile() || stats.size > MOST_JSON_BYTES)
    throw parseError(file, `it is no file of at most ${MOST_JSON_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw parseError(file, "it is no JSON", {}, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw parseError(file, "it holds no object");
  return value as Json;
}

async function templateOf(path: string, tokenizerConfig: Json): Promise<string | undefined> {
  const own = await readFile(join(path, "chat_template.jinja"), "utf8").catch(() => undefined);
  return own ?? (typeof tokenizerConfig.chat_template === "string" ? tokenizerConfig.chat_template : undefined);
}

async function fingerprint(path: string, names: readonly string[]): Promise<string> {
  const facts = await Promise.all(
    ["config.json", ...names].map(async (name) => {
      const { size, mtimeMs } = await stat(join(path, name));
      return `${name}:${size}:${mtimeMs}`;
    }),
  );
  return facts.join(" ");
}
