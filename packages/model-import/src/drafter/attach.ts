import { copyFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DecoderConfig } from "../config/decoder-config.ts";
import { missing, unsupported } from "../errors.ts";
import { drafterGraph } from "../graph/graphs.ts";
import type { GraphShape } from "../graph/layers.ts";
import type { StoredTensor, WeightIndex } from "../weights/weight-index.ts";
import { type DrafterFile, readDrafter } from "./drafter-file.ts";

/**
 * Opens a drafter for a target. Vocabulary and rotary positions must be the target's, and width and epsilon too where it
 * reads hidden rows or the embedding of the target; that its ids mean the same is up to whoever names the file.
 *
 * @throws ERR_MODEL_FILE_MISSING, ERR_PARSE, ERR_UNSUPPORTED where it was made for another model
 */
export async function openDrafter(path: string, target: DecoderConfig): Promise<DrafterFile> {
  const file = await readDrafter(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw missing(path, "the option drafter names it", "Pass the path of a drafter's safetensors file.");
  });
  const { config } = file;
  const refuse = (why: string) =>
    unsupported(
      `${path} cannot draft for this ${target.family} model`,
      why,
      `It was made for ${config.target}. Import that model, or leave the drafter out.`,
    );
  const apart = file.tensors.has("embedding.q") && config.taps.length === 0;
  for (const key of ["vocabularySize", "headDim", ...(apart ? [] : (["width", "epsilon"] as const))] as const)
    if (config[key] !== target[key]) throw refuse(`its ${key} is ${config[key]}, and the target's ${target[key]}`);
  if (config.ropeTheta !== target.rope.theta || target.rope.scaling !== undefined)
    throw refuse("its rotary positions are not the target's");
  const deep = config.taps.find((tap) => tap !== "output" && tap >= target.layers);
  if (deep !== undefined) throw refuse(`it reads layer ${deep}, and the target has ${target.layers}`);
  return file;
}

/** Writes the graph over the drafter's weights and those of the target's in one precision; gives its file name. */
export async function writeDrafterGraph(
  dir: string,
  file: DrafterFile,
  target: WeightIndex,
  options: { readonly precision: string; readonly positions: number },
): Promise<string> {
  const { config, tensors } = file;
  const shape: GraphShape = { ...shapeOf(config), positions: options.positions };
  const graph = `drafter.${options.precision}.onnx`;
  const bytes = drafterGraph({
    shape,
    weights: { location: basename(file.path), tensors: joined(tensors, target) },
    arithmetic: options.precision === "fp32" ? "fp32" : "int8",
    name: `drafter.${options.precision}`,
    maskId: config.maskId,
    top: config.top,
    taps: config.taps.length,
  });
  await writeFile(join(dir, graph), bytes);
  return graph;
}

/** Brings the weights beside the graphs. */
export const copyDrafter = (dir: string, { path }: DrafterFile): Promise<void> =>
  copyFile(path, join(dir, basename(path)));

/** The drafter's entry of a manifest: the DlmManifest of @diffuspec/drafter-dlm, and where the drafter comes from. */
export function drafterEntry(
  { config, tensors }: DrafterFile,
  graphs: Readonly<Record<string, string>>,
  { positions, contextLength, eosIds }: Pick<GraphShape, "positions"> & Pick<DecoderConfig, "contextLength" | "eosIds">,
) {
  const { name, licence, ropeTheta, maskId, top, maxMasks, taps, shift, promptWindow } = config;
  const parameters = [...tensors.values()]
    .filter(({ name }) => name !== "vocabulary" && !name.endsWith(".s"))
    .reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b, 1), 0);
  const entry = { name, licence, ...shapeOf(config), positions, ropeTheta, parameters, contextLength, maskId, eosIds };
  const reading = { ...(taps.length > 0 && { taps }), ...(shift && { shift }), ...(promptWindow && { promptWindow }) };
  return { ...entry, top, maxMasks, ...reading, graphs };
}

function shapeOf(config: DrafterFile["config"]): Omit<GraphShape, "positions"> {
  const { layers, width, heads, kvHeads, headDim, hidden, vocabularySize, epsilon } = config;
  return { vocabularySize, width, heads, kvHeads, headDim, hidden, epsilon, layers };
}

/** The drafter's own tensors, and what it shares with the target: the rotary table always, the rest where it has none. */
function joined(own: ReadonlyMap<string, StoredTensor>, target: WeightIndex): Map<string, StoredTensor> {
  const out = new Map(own);
  const shared = own.has("embedding.q") ? /^(cos|sin)$/ : /^((embedding|head)\..*|cos|sin)$/;
  for (const [name, tensor] of target.tensors)
    if (shared.test(name)) out.set(name, { ...tensor, location: target.location });
  return out;
}
