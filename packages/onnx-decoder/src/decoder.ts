import { DiffuSpecError } from "@diffuspec/contracts";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { KvCache } from "./cache.ts";
import { checkGraph } from "./graph-check.ts";
import { closed, failed, type GraphOptions, openGraph } from "./graph-session.ts";
import { input } from "./input.ts";
import { createPass, type DecoderPass } from "./pass.ts";
import { int64 } from "./rows.ts";
import { type DecoderShape, sameCacheShape, validateShape } from "./shape.ts";

/** Options of {@link createDecoder}. */
export interface DecoderOptions extends GraphOptions {
  readonly shape: DecoderShape;
}

/** One pass: ids behind the cache's last row. */
export interface PassRequest {
  /** Token ids, [S] with S >= 1. */
  readonly ids: Int32Array;
  /** Rows the LM head looks at, each in 0..S-1; may be empty. */
  readonly rows: Int32Array;
  /** Outputs to compute and copy; "new_kv" where rows will be appended. */
  readonly fetch: readonly string[];
  /** Added to attention scores, row-major [S, pastLength + S]; only for graphs with the input attention_bias. */
  readonly bias?: Float32Array;
  /** Absolute position of every id, [S]; only for graphs with the input position_ids. */
  readonly positions?: Int32Array;
  /** Another model's hidden rows, row-major [S, tapsWidth]; only for graphs with the input taps. */
  readonly taps?: Float32Array;
}

/** A graph, loaded. It keeps no state between passes: caches are the caller's and may be shared by graphs of one model. */
export interface Decoder {
  readonly label: string;
  readonly shape: DecoderShape;
  readonly threads: number;
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  /** Values the input taps wants for every id; 0 where the graph has no such input. */
  readonly tapsWidth: number;
  /**
   * Blocks the event loop while it computes. The cache is read, never written; nothing may change it meanwhile.
   *
   * @throws ERR_CONTRACT for a request the graph does not take, ERR_CONTEXT_EXCEEDED past the rotary table,
   *   ERR_CLOSED after dispose, ERR_GRAPH where the runtime fails
   */
  run(cache: KvCache, request: PassRequest): Promise<DecoderPass>;
  dispose(): Promise<void>;
}

/**
 * Loads a graph and checks that it is what the shape says.
 *
 * @throws ERR_MODEL_FILE_MISSING, ERR_GRAPH (unreadable, truncated, or another graph), ERR_OPTION, ERR_UNSUPPORTED
 */
export async function createDecoder(options: DecoderOptions): Promise<Decoder> {
  const { shape } = options;
  validateShape(shape, options.label ?? options.graph);
  const { session, threads, label } = await openGraph(options);
  try {
    checkGraph(session, shape, label);
  } catch (error) {
    await session.release();
    throw error;
  }
  const inputs = new Set(session.inputNames);
  const outputs = new Set(session.outputNames);
  const tapsWidth = tapsWidthOf(session);
  let disposed = false;

  return {
    label,
    shape,
    threads,
    inputs,
    outputs,
    tapsWidth,
    async run(cache, request) {
      if (disposed) throw closed(label);
      checkRequest(request, cache, { label, shape, inputs, outputs, tapsWidth });
      const { ids, rows, bias, positions, taps } = request;
      const past = cache.length;
      cache.reserve(past + ids.length);
      // Inherited: copied into every pass, the cache's sixty entries would cost more than looking them up does.
      const feeds: Record<string, Tensor> = Object.create(cache.feeds());
      feeds.input_ids = input("int32", ids, [1, ids.length]);
      feeds.past_length = input("int64", int64([past]), [1]);
      feeds.rows = input("int32", rows, [rows.length]);
      if (bias !== undefined) feeds.attention_bias = input("float32", bias, [1, 1, ids.length, past + ids.length]);
      if (positions !== undefined) feeds.position_ids = input("int64", int64(positions), [1, ids.length]);
      if (taps !== undefined) feeds.taps = input("float32", taps, [1, ids.length, tapsWidth]);
      try {
        return createPass(past, ids.length, (await session.run(feeds, request.fetch)) as Record<string, Tensor>);
      } catch (cause) {
        throw disposed ? closed(label) : failed(label, cause);
      }
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await session.release();
    },
  };
}

/** Shared by every decoder. @throws ERR_CONTRACT, ERR_CONTEXT_EXCEEDED */
export function checkRequest(
  { ids, rows, fetch, bias, positions, taps }: PassRequest,
  cache: KvCache,
  { label, shape, inputs, outputs, tapsWidth }: Pick<Decoder, "label" | "shape" | "inputs" | "outputs" | "tapsWidth">,
): void {
  const refuse = (why: string) =>
    new DiffuSpecError({
      code: "ERR_CONTRACT",
      what: `A pass of ${label} was refused`,
      why,
      next: "Fix the caller; see PassRequest in @diffuspec/onnx-decoder.",
    });
  const count = ids.length;
  const total = cache.length + count;
  if (!sameCacheShape(shape, cache.shape)) throw refuse("the cache belongs to a model of another shape");
  if (count === 0) throw refuse("it has no ids");
  if (total > shape.positions)
    throw new DiffuSpecError({
      code: "ERR_CONTEXT_EXCEEDED",
      what: `A pass of ${label} needs ${total} rows`,
      why: `the model has positions for ${shape.positions}`,
      next: "Shorten the prompt or the draft.",
      details: { rows: total, positions: shape.positions },
    });
  for (let i = 0; i < count; i++)
    if (ids[i]! < 0 || ids[i]! >= shape.vocabularySize)
      throw refuse(`id ${ids[i]} is outside 0..${shape.vocabularySize - 1}`);
  for (let i = 0; i < rows.length; i++)
    if (rows[i]! < 0 || rows[i]! >= count) throw refuse(`row ${rows[i]} is outside 0..${count - 1}`);
  for (const name of fetch) if (!outputs.has(name)) throw refuse(`the graph has no output ${name}`);
  if (fetch.length === 0) throw refuse("it fetches nothing");
  if (inputs.has("attention_bias") !== (bias !== undefined))
    throw refuse(bias === undefined ? "the graph needs an attention bias" : "the graph takes no attention bias");
  if (bias !== undefined && bias.length !== count * total)
    throw refuse(`the attention bias has ${bias.length} values and should have ${count} x ${total}`);
  if (tapsWidth > 0 !== (taps !== undefined))
    throw refuse(taps === undefined ? "the graph needs taps" : "the graph takes no taps");
  if (taps !== undefined && taps.length !== count * tapsWidth)
    throw refuse(`the taps have ${taps.length} values and should have ${count} x ${tapsWidth}`);
  if (inputs.has("position_ids") !== (positions !== undefined))
    throw refuse(positions === undefined ? "the graph needs positions" : "the graph takes no positions");
  if (positions === undefined) return;
  if (positions.length !== count) throw refuse(`there are ${positions.length} positions for ${count} ids`);
  for (let i = 0; i < count; i++)
    if (positions[i]! < 0 || positions[i]! >= shape.positions)
      throw refuse(`position ${positions[i]} is outside 0..${shape.positions - 1}`);
}

function tapsWidthOf({ inputMetadata }: InferenceSession): number {
  const taps = inputMetadata.find(({ name }) => name === "taps");
  const width = taps?.isTensor ? taps.shape[2] : 0;
  return typeof width === "number" ? width : 0;
}
