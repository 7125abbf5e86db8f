import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import { type HubDtype, hubDtypes, hubGraph, readHubModel } from "@diffuspec/verifier-ar";
import { isObject } from "./checks.ts";
import type { PairFiles } from "./pair-files.ts";
import type { PairManifest } from "./read-pair.ts";

/** A decoder published for transformers.js, as the target. */
export interface HubTarget {
  readonly kind: "hub";
  /** Path of the graph, relative. */
  readonly graph: string;
  /** Its dtype; undefined for a graph of another name. */
  readonly dtype: HubDtype | undefined;
}

/**
 * The graph to run in a folder as it lies on the hub: that of the dtype asked for, else of the first that is there, else the only one.
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING
 */
export async function chooseGraph(dir: string, dtype?: HubDtype): Promise<Omit<HubTarget, "kind">> {
  const chosen = dtype ?? hubDtypes(dir)[0];
  const only = chosen === undefined ? await onlyGraph(dir) : undefined;
  if (only !== undefined) return { dtype: undefined, graph: only };
  const path = relative(dir, hubGraph(dir, chosen ?? "fp32"));
  return { dtype: chosen, graph: path.split(sep).join("/") };
}

/** What tokenizer and configuration of such a folder say. @throws ERR_PARSE, ERR_MODEL_FILE_MISSING */
export async function readHubTarget(
  files: PairFiles,
): Promise<Pick<PairManifest, "tokenizer" | "tokenizerConfig" | "eosIds" | "bosId" | "chatTemplate">> {
  const has = (name: string) => files.list.some((file) => file.name === name);
  const config = has("tokenizer_config.json") ? await files.readJson("tokenizer_config.json") : {};
  const tokenizerConfig = isObject(config) ? config : {};
  return {
    tokenizer: "tokenizer.json",
    tokenizerConfig,
    eosIds: readHubModel(files.dir).eosIds,
    bosId: undefined, // the tokenizer says whether a text begins with it
    chatTemplate: has("chat_template.jinja")
      ? await files.readText("chat_template.jinja")
      : templateOf(tokenizerConfig.chat_template),
  };
}

/** A text, or a list of templates by name of which the default one counts. */
function templateOf(value: unknown): string | undefined {
  const named = Array.isArray(value) ? value.filter(isObject).find(({ name }) => name === "default")?.template : value;
  return typeof named === "string" ? named : undefined;
}

/** A graph of another name, where there is but one. Weights that can be imported are said to be so. */
async function onlyGraph(dir: string): Promise<string | undefined> {
  const namesIn = (folder: string) => readdir(join(dir, folder)).catch(() => []);
  const names = await namesIn("");
  const graphs = [...names, ...(await namesIn("onnx")).map((name) => `onnx/${name}`)].filter((name) =>
    name.endsWith(".onnx"),
  );
  const weights = names.find((name) => /\.(safetensors|gguf)$/.test(name));
  if (graphs.length > 0 || weights === undefined) return graphs.length === 1 ? graphs[0] : undefined;
  throw new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what: `${dir} has no graph`,
    why: `it holds ${weights} and no .onnx file`,
    next: `Import it: diffuspec import ${weights.endsWith(".gguf") ? `${dir}/${weights}` : dir}`,
    details: { directory: dir },
  });
}
