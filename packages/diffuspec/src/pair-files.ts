import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import { type Model, openModel } from "@diffuspec/model-files";

/** The files of a model. */
export interface PairFiles extends Omit<Model, "manifest"> {
  readonly list: readonly { readonly name: string; readonly bytes: number }[];
}

/** Those that a manifest lists, each hashed. @throws as openModel */
export async function hashedFiles(
  model: string,
  signal?: AbortSignal,
): Promise<{ files: PairFiles; manifest: Model["manifest"] }> {
  const { manifest, ...files } = await openModel(model, { signal });
  const list = Object.entries(manifest.files).map(([name, { bytes }]) => ({ name, bytes }));
  return { files: { ...files, list }, manifest };
}

/** Texts of a published model; whatever else lies beside them is not read. */
const TEXTS = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
];
/** tokenizer.json of a vocabulary of 250,000 pieces has some 30 MB. */
const MOST_BYTES = 2 ** 27;

/**
 * A folder without a manifest, as it lies on the hub: nothing says what its files should be, so they are taken as they are.
 * Links, as in the hub's own cache, are followed.
 *
 * @param graph path of the graph that is used, relative; it is listed with its external data
 */
export async function plainFiles(dir: string, graph: string | undefined): Promise<PairFiles> {
  const sizeOf = (name: string) =>
    stat(join(dir, name)).then(
      (found) => (found.isFile() ? found.size : undefined),
      () => undefined,
    );
  const slash = graph?.lastIndexOf("/") ?? -1;
  const beside = graph === undefined ? [] : await readdir(join(dir, graph.slice(0, slash + 1)));
  const weights = beside
    .map((name) => graph!.slice(0, slash + 1) + name)
    .filter((name) => name === graph || name.startsWith(`${graph}_data`) || name.startsWith(`${graph}.data`));
  const list: { name: string; bytes: number }[] = [];
  for (const name of [...TEXTS, ...weights.sort()]) {
    const bytes = await sizeOf(name);
    if (bytes !== undefined) list.push({ name, bytes });
  }

  const read = async (name: string) => {
    const bytes = await sizeOf(name);
    if (bytes === undefined) throw absent(dir, name);
    if (bytes > MOST_BYTES) throw unreadable(dir, name, `it has ${bytes} bytes; at most ${MOST_BYTES} are read`);
    return new Uint8Array(await readFile(join(dir, name)));
  };
  const readText = async (name: string) => new TextDecoder().decode(await read(name));
  return {
    dir,
    list,
    path: (name) => join(dir, name),
    read,
    readText,
    async readJson(name) {
      const text = await readText(name);
      try {
        return JSON.parse(text) as unknown;
      } catch (cause) {
        throw unreadable(dir, name, (cause as Error).message, cause);
      }
    },
  };
}

const absent = (dir: string, name: string) =>
  new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what: `${name} is missing`,
    why: `it is not in ${dir}`,
    next: "Download the whole folder from the model's page.",
    details: { directory: dir, file: name },
  });

const unreadable = (dir: string, name: string, why: string, cause?: unknown) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: `${name} of ${dir} cannot be used`,
    why,
    next: "Download it again from the model's page.",
    details: { directory: dir, file: name },
    cause,
  });
