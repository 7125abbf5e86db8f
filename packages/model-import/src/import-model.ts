import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, readFile, rename, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { abortError } from "@diffuspec/contracts";
import { calibrated, forgetPeaks } from "./calibrate.ts";
import type { DecoderConfig } from "./config/decoder-config.ts";
import { copyDrafter, drafterEntry, openDrafter, writeDrafterGraph } from "./drafter/attach.ts";
import { missing, optionError, unsupported } from "./errors.ts";
import { targetGraph } from "./graph/graphs.ts";
import { checkOptions, defaultName, IMPORT_DEFAULTS, type ImportOptions } from "./import-options.ts";
import { openJournal } from "./journal.ts";
import { openSource } from "./source/open-source.ts";
import type { ModelSource } from "./source/source.ts";
import { planOf } from "./weights/plan.ts";
import { bytesOf, type Precision, storeRope, storeWeights } from "./weights/store.ts";
import { createWeightFile } from "./weights/weight-file.ts";
import type { WeightIndex } from "./weights/weight-index.ts";

export interface ImportResult {
  /** Absolute path of the folder. */
  readonly dir: string;
  readonly name: string;
  readonly config: DecoderConfig;
  readonly parameters: number;
  /** Bytes by file name. */
  readonly files: Readonly<Record<string, number>>;
}

/** Rows of the rotary table beyond the context: room for the nodes of a tree. */
const TREE_ROOM = 128;

/**
 * Writes a model directory that `createEngine({ model: dir })` of diffuspec loads: manifest.json with the SHA-256 of every
 * file, chain and tree graphs with their weights, and tokenizer.json.
 *
 * Memory stays at one converted matrix and a few MiB. An import that was stopped is resumed by an equal call.
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_PARSE (a damaged file), ERR_UNSUPPORTED (a model no graph here can
 *   express, or one without a tokenizer), ERR_ABORTED
 */
export async function importModel(options: ImportOptions): Promise<ImportResult> {
  const precisions = checkOptions(options);
  const dir = resolve(options.out);
  if ((await stat(dir).catch(() => undefined)) !== undefined)
    throw optionError("out", options.out, "a path where nothing is yet");
  const source = await openSource(options.source);
  try {
    return await convert(source, dir, precisions, options);
  } finally {
    await source.close();
  }
}

async function convert(
  source: ModelSource,
  dir: string,
  precisions: readonly Precision[],
  options: ImportOptions,
): Promise<ImportResult> {
  const { onProgress, signal, calibrate, oneCheckpoint = false } = options;
  const { config } = source;
  const steps = planOf(source);
  const tokenizer = await readTokenizer(source, options.tokenizer);
  const wanted = options.contextLength ?? IMPORT_DEFAULTS.contextLength;
  const contextLength = Math.min(wanted, config.contextLength);
  const positions = contextLength + TREE_ROOM;
  const name = options.name ?? defaultName(source.path);
  const part = `${dir}.part`;
  const key = JSON.stringify([
    1,
    resolve(source.path),
    source.fingerprint,
    precisions,
    contextLength,
    calibrate !== undefined,
    options.drafter,
    options.ngram,
    oneCheckpoint,
  ]);
  const drafter = options.drafter === undefined ? undefined : await openDrafter(options.drafter, config);
  const journal = await openJournal(part, key);

  const storedAs = (precision: Precision) => (oneCheckpoint && precision === "fp32" ? "int8" : precision);
  const total = new Set(precisions.map(storedAs)).size * steps.reduce((sum, step) => sum + bytesOf(source, step), 0);
  let done = 0;
  const graphs: Record<string, { chain: string; tree: string }> = {};
  const drafterGraphs: Record<string, string> = {};
  const files: string[] = [];
  const { layers, width, heads, kvHeads, headDim, hidden, vocabularySize, epsilon } = config;
  const shape = { vocabularySize, width, heads, kvHeads, headDim, hidden, epsilon, positions, layers };
  const smoothing =
    calibrate && precisions.includes("int8")
      ? await calibrated(part, source, steps, { shape, tokenizer, calibrate, ...(signal && { signal }) })
      : undefined;
  const stored = new Map<Precision, WeightIndex>();
  const store = async (precision: Precision): Promise<WeightIndex> => {
    const location = `target.${precision}.bin`;
    const weights = await createWeightFile(join(part, location), {
      finished: journal.finished(location),
      onAdded: (tensor) => journal.add(location, tensor),
    });
    try {
      await storeRope(weights, config.rope, headDim, positions);
      await storeWeights(source, steps, weights, {
        precision,
        ...(signal && { signal }),
        ...(precision === "int8" && smoothing && { smoothing }),
        onStored(bytes) {
          done += bytes;
          onProgress?.({ phase: "weights", done, total });
        },
      });
    } finally {
      await weights.close();
    }
    files.push(location);
    stored.set(precision, weights);
    return weights;
  };
  for (const precision of precisions) {
    const arithmetic = precision === "fp32" ? "fp32" : "int8";
    const weights = stored.get(storedAs(precision)) ?? (await store(storedAs(precision)));
    for (const kind of ["chain", "tree"] as const) {
      const file = `target.${precision}.${kind}.onnx`;
      const bytes = targetGraph({ shape, weights, arithmetic, kind, name: `target.${precision}.${kind}` });
      await writeFile(join(part, file), bytes);
      files.push(file);
    }
    if (drafter) {
      drafterGraphs[precision] = await writeDrafterGraph(part, drafter, weights, { precision, positions });
      files.push(drafterGraphs[precision]);
    }
    graphs[precision] = { chain: `target.${precision}.chain.onnx`, tree: `target.${precision}.tree.onnx` };
  }
  await writeFile(join(part, "tokenizer.json"), tokenizer);
  files.push("tokenizer.json");
  if (source.chatTemplate !== undefined) {
    await writeFile(join(part, "chat_template.jinja"), source.chatTemplate);
    files.push("chat_template.jinja");
  }
  if (drafter) {
    await copyDrafter(part, drafter);
    files.push(basename(drafter.path));
  }
  if (options.ngram !== undefined) {
    await copyFile(options.ngram, join(part, "ngram.bin")).catch(() => {
      throw missing(options.ngram!, "the option ngram names it", "Pass the path of an n-gram file, or leave it out.");
    });
    files.push("ngram.bin");
  }

  const listed = await hashAll(part, files, onProgress, signal);
  const manifest = {
    format: 1,
    name,
    licence: options.licence ?? source.licence ?? "unknown",
    tokenizer: "tokenizer.json",
    ...options.settings,
    ...(source.chatTemplate !== undefined && { chatTemplate: "chat_template.jinja" }),
    source: {
      file: basename(source.path),
      family: config.family,
      contextLength: config.contextLength,
      calibrated: smoothing !== undefined,
    },
    target: {
      ...shape,
      ropeTheta: config.rope.theta,
      parameters: source.parameters,
      contextLength,
      eosIds: config.eosIds,
      ...(config.bosId !== undefined && { bosId: config.bosId }),
      graphs,
    },
    ...(drafter && {
      drafter: drafterEntry(drafter, drafterGraphs, { positions, contextLength, eosIds: config.eosIds }),
    }),
    ...(drafter?.config.draft && { draft: drafter.config.draft }),
    ...(options.ngram !== undefined && { ngram: "ngram.bin" }),
    files: listed,
  };
  await writeFile(join(part, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await journal.remove();
  await forgetPeaks(part);
  await rename(part, dir);
  const sizes = Object.fromEntries(Object.entries(listed).map(([file, { bytes }]) => [file, bytes]));
  return { dir, name, config, parameters: source.parameters, files: sizes };
}

async function hashAll(
  dir: string,
  files: readonly string[],
  onProgress: ImportOptions["onProgress"],
  signal: AbortSignal | undefined,
): Promise<Record<string, { bytes: number; sha256: string }>> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(dir, file))).size));
  const total = sizes.reduce((a, b) => a + b, 0);
  const out: Record<string, { bytes: number; sha256: string }> = {};
  let done = 0;
  for (const [i, file] of files.entries()) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(join(dir, file), { highWaterMark: 1 << 20 })) {
      if (signal?.aborted) throw abortError(signal);
      hash.update(chunk);
      done += chunk.length;
    }
    out[file] = { bytes: sizes[i]!, sha256: hash.digest("hex") };
    onProgress?.({ phase: "hash", done, total });
  }
  return out;
}

/** tokenizer.json as text: of `path`, else the source's own. @throws ERR_MODEL_FILE_MISSING, ERR_UNSUPPORTED */
export async function readTokenizer(source: ModelSource, path: string | undefined): Promise<string> {
  if (path !== undefined)
    return readFile(path, "utf8").catch(() => {
      throw missing(path, "the option tokenizer names it", "Pass the path of a tokenizer.json.");
    });
  if (source.tokenizer !== undefined)
    return typeof source.tokenizer === "string" ? source.tokenizer : JSON.stringify(source.tokenizer);
  throw unsupported(
    `${source.path} comes without a tokenizer that can be used`,
    "there is no tokenizer.json, or its GGUF vocabulary is not byte-level BPE with a known pre-tokenizer",
    "Pass the model's tokenizer.json as the option tokenizer.",
  );
}
