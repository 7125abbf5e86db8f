import type { Tap } from "@diffuspec/contracts";
import { parseError } from "../errors.ts";
import type { GraphShape } from "../graph/layers.ts";
import type { ElementType } from "../onnx/model.ts";
import { readSafetensors } from "../source/safetensors.ts";
import { openWith } from "../source/tensor-file.ts";
import type { StoredTensor } from "../weights/weight-index.ts";

/**
 * What a drafter's file says of it, as JSON under "diffuspec" in the metadata of a safetensors file. Its rotary table is the
 * target's, as are embedding and LM head where the file has none; sizes are those of {@link GraphShape}.
 */
export interface DrafterConfig extends Omit<GraphShape, "positions"> {
  readonly format: 1;
  readonly name: string;
  readonly licence: string;
  /** The model it was trained for, in words. */
  readonly target: string;
  readonly ropeTheta: number;
  /** Hidden rows of the target that it reads. */
  readonly taps: readonly Tap[];
  readonly maskId: number;
  /** The row of an id drafts the id behind it. */
  readonly shift?: boolean;
  /** Most ids of a prompt that it should read, the last ones; absent: all. */
  readonly promptWindow?: number;
  /** Candidates of a position. */
  readonly top: number;
  readonly maxMasks: number;
  /** Lattice, search and n-gram settings that it was fitted with. */
  readonly draft?: Readonly<Record<string, unknown>>;
}

export interface DrafterFile {
  readonly path: string;
  readonly config: DrafterConfig;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Bytes of the file. */
  readonly bytes: number;
}

const TYPES = {
  F32: { values: 1, bytes: 4, element: "float32" },
  I8: { values: 1, bytes: 1, element: "int8" },
  I32: { values: 1, bytes: 4, element: "int32" },
} as const satisfies Record<string, { values: number; bytes: number; element: ElementType }>;

/**
 * Reads a drafter's header. Its tensors: N.qkv, N.o, N.gate_up, N.down and taps.join, each .q int8 [in, out] with .s float32
 * [out]; N.norm1, N.norm2, norm and taps.normN float32; where it has an embedding of its own, embedding.q int8 [ids, width]
 * with embedding.s float32 [ids], and the same of an LM head that is another matrix, "head"; and, where it drafts a part of
 * the vocabulary only, that part's ids in ascending order, "vocabulary" int32.
 *
 * @throws ERR_PARSE for a damaged file, a tensor missing, unknown or of another size, or a bad configuration
 */
export function readDrafter(path: string): Promise<DrafterFile> {
  return openWith(path, async (file, size) => {
    try {
      const { tensors, metadata } = await readSafetensors(file, path, size, TYPES);
      const config = readConfig(path, metadata.diffuspec);
      const found = new Map<string, StoredTensor>();
      for (const { name, format, dims, offset, bytes } of tensors)
        found.set(name, { name, type: TYPES[format].element, dims, offset, length: bytes });
      checkWeights(path, config, found);
      return { path, config, tensors: found, bytes: size };
    } finally {
      await file.close();
    }
  });
}

function readConfig(path: string, text: unknown): DrafterConfig {
  const refuse = (why: string) => parseError(path, why);
  if (typeof text !== "string") throw refuse('its metadata has no text "diffuspec": it is no drafter');
  let config: Partial<Record<keyof DrafterConfig, unknown>>;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw parseError(path, "its configuration is no JSON", {}, cause);
  }
  if (config?.format !== 1) throw refuse(`its format is ${JSON.stringify(config?.format)}; this version reads 1`);
  for (const key of ["name", "licence", "target"] as const)
    if (typeof config[key] !== "string") throw refuse(`its ${key} is no text`);
  const sizes = [
    "layers",
    "width",
    "heads",
    "kvHeads",
    "headDim",
    "hidden",
    "vocabularySize",
    "top",
    "maxMasks",
  ] as const;
  for (const key of sizes) {
    const value = config[key];
    if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > 2 ** 24)
      throw refuse(`its ${key} is ${JSON.stringify(value)}`);
  }
  for (const key of ["epsilon", "ropeTheta"] as const)
    if (!(typeof config[key] === "number" && config[key] > 0)) throw refuse(`its ${key} is no number above 0`);
  const { maskId, vocabularySize, taps, shift, promptWindow, draft } = config as DrafterConfig;
  if (shift !== undefined && typeof shift !== "boolean") throw refuse(`its shift is ${JSON.stringify(shift)}`);
  if (promptWindow !== undefined && !(Number.isSafeInteger(promptWindow) && promptWindow >= 1))
    throw refuse(`its promptWindow is ${JSON.stringify(promptWindow)}`);
  if (!Number.isSafeInteger(maskId) || maskId < 0 || maskId >= vocabularySize) throw refuse(`its maskId is ${maskId}`);
  if (!Array.isArray(taps) || !taps.every((tap) => tap === "output" || (Number.isSafeInteger(tap) && tap >= 0)))
    throw refuse('its taps are no list of layers or "output"');
  if (draft !== undefined && (typeof draft !== "object" || draft === null)) throw refuse("its draft is no object");
  return config as DrafterConfig;
}

function checkWeights(path: string, config: DrafterConfig, tensors: ReadonlyMap<string, StoredTensor>): void {
  const { layers, width, heads, kvHeads, headDim, hidden, taps, vocabularySize, top, maskId } = config;
  const expected = new Set<string>();
  const expect = (name: string, type: ElementType, ...dims: number[]) => {
    const tensor = tensors.get(name);
    expected.add(name);
    const wanted = `${type} [${dims.join(", ")}]`;
    if (tensor === undefined) throw parseError(path, `it has no tensor ${name}, ${wanted}`, { tensor: name });
    if (tensor.type !== type || tensor.dims.join() !== dims.join())
      throw parseError(
        path,
        `its tensor ${name} is ${tensor.type} [${tensor.dims.join(", ")}] and should be ${wanted}`,
      );
  };
  const linear = (name: string, inputs: number, outputs: number) => {
    expect(`${name}.q`, "int8", inputs, outputs);
    expect(`${name}.s`, "float32", outputs);
  };
  const rows = (name: string) => {
    expect(`${name}.q`, "int8", vocabularySize, width);
    expect(`${name}.s`, "float32", vocabularySize);
  };
  for (let i = 0; i < layers; i++) {
    linear(`${i}.qkv`, width, (heads + 2 * kvHeads) * headDim);
    linear(`${i}.o`, heads * headDim, width);
    linear(`${i}.gate_up`, width, 2 * hidden);
    linear(`${i}.down`, hidden, width);
    expect(`${i}.norm1`, "float32", width);
    expect(`${i}.norm2`, "float32", width);
  }
  expect("norm", "float32", width);
  if (taps.length > 0) linear("taps.join", taps.length * width, width);
  for (const i of taps.keys()) expect(`taps.norm${i}`, "float32", width);
  if (tensors.has("embedding.q") || tensors.has("head.q")) rows("embedding");
  if (tensors.has("head.q")) rows("head");
  const picked = tensors.get("vocabulary")?.dims[0];
  if (picked !== undefined) {
    if (picked > vocabularySize || picked < top)
      throw parseError(path, `it drafts ${picked} of ${vocabularySize} ids and promises ${top} candidates`, { maskId });
    expect("vocabulary", "int32", picked);
  }
  const other = [...tensors.keys()].find((name) => !expected.has(name));
  if (other !== undefined) throw parseError(path, `it has a tensor ${other}, which no drafter has`, { tensor: other });
}
