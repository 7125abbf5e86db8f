import { DiffuSpecError } from "@diffuspec/contracts";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { closed, failed, type GraphOptions, openGraph } from "./graph-session.ts";
import { fromHalf, halfBitsOf, toHalf } from "./half.ts";
import { input } from "./input.ts";
import { int64, rowRange } from "./rows.ts";

/** Options of {@link createCanvas}. */
export interface CanvasOptions extends GraphOptions {
  /** Width of a row of logits; must be the graph's where the graph says it. */
  readonly vocabularySize?: number;
}

/** What one pass over a canvas gave. */
export interface CanvasPass {
  readonly rowCount: number;
  /** Logits of a row, [vocabularySize]; a view, or a fresh array where the graph gives half precision. */
  logits(row: number): Float32Array;
}

/** A graph that looks at a whole text at once: ids to logits, no cache. */
export interface Canvas {
  readonly label: string;
  readonly vocabularySize: number;
  /** Its input attention_mask: none, ones for every id, or a number added to every attention score. */
  readonly mask: "none" | "ones" | "additive";
  /**
   * One pass. Blocks the event loop while it computes.
   *
   * @param ids [S], S >= 1
   * @param bias row-major [S, S], added to attention scores; only for "additive", where all zeros are the default
   * @throws ERR_CONTRACT, ERR_CLOSED, ERR_GRAPH
   */
  run(ids: Int32Array, bias?: Float32Array): Promise<CanvasPass>;
  dispose(): Promise<void>;
}

/**
 * Loads a masked diffusion model as they are exported: input_ids [1, S] (int64 or int32), optionally attention_mask (int64
 * [1, S], or float32 or float16 [1, 1, S, S] that is added) and position_ids; output logits [1, S, vocabularySize].
 *
 * @throws ERR_MODEL_FILE_MISSING, ERR_GRAPH, ERR_OPTION, ERR_UNSUPPORTED (other inputs or types)
 */
export async function createCanvas(options: CanvasOptions): Promise<Canvas> {
  const { session, label } = await openGraph(options);
  let graph: ReturnType<typeof checkCanvas>;
  try {
    graph = checkCanvas(session, options.vocabularySize, label);
  } catch (error) {
    await session.release();
    throw error;
  }
  const { vocabularySize, mask, maskType, idType, positions } = graph;
  let disposed = false;
  const whole = (values: Int32Array) => (idType === "int64" ? int64(values) : values.slice());

  return {
    label,
    vocabularySize,
    mask,
    async run(ids, bias) {
      if (disposed) throw closed(label);
      const count = ids.length;
      checkCall(label, ids, bias, mask, vocabularySize);
      const feeds: Record<string, Tensor> = { input_ids: input(idType, whole(ids), [1, count]) };
      if (mask === "ones") feeds.attention_mask = input("int64", new BigInt64Array(count).fill(1n), [1, count]);
      if (mask === "additive") {
        const values = bias ?? new Float32Array(count * count);
        feeds.attention_mask = input(maskType, maskType === "float16" ? toHalf(values) : values, [1, 1, count, count]);
      }
      if (positions) feeds.position_ids = input("int64", int64(rowRange(0, count)), [1, count]);
      let logits: Tensor;
      try {
        logits = (await session.run(feeds, ["logits"])).logits as Tensor;
      } catch (cause) {
        throw disposed ? closed(label) : failed(label, cause);
      }
      const { data, dims } = logits;
      if (dims.join() !== [1, count, vocabularySize].join())
        throw wrong(
          "ERR_GRAPH",
          label,
          `its logits are ${dims.join(" x ")} and should be 1 x ${count} x ${vocabularySize}`,
        );
      const half = halfBitsOf(data);
      return {
        rowCount: count,
        logits(row) {
          if (!(Number.isInteger(row) && row >= 0 && row < count))
            throw wrong("ERR_CONTRACT", label, `row ${row} was read and there are rows 0..${count - 1}`);
          const [from, to] = [row * vocabularySize, (row + 1) * vocabularySize];
          return half ? fromHalf(half.subarray(from, to)) : (data as Float32Array).subarray(from, to);
        },
      };
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await session.release();
    },
  };
}

function checkCanvas(session: InferenceSession, given: number | undefined, label: string) {
  const inputs = new Map(session.inputMetadata.flatMap((v) => (v.isTensor ? [[v.name, v] as const] : [])));
  const output = session.outputMetadata.find(({ name }) => name === "logits");
  const refuse = (why: string) => wrong("ERR_UNSUPPORTED", label, why);
  const ids = inputs.get("input_ids");
  if (ids === undefined || ids.shape.length !== 2 || (ids.type !== "int64" && ids.type !== "int32"))
    throw refuse("it has no input input_ids of two dimensions in int64 or int32");
  if (!output?.isTensor || output.shape.length !== 3 || (output.type !== "float32" && output.type !== "float16"))
    throw refuse("it has no output logits of three dimensions in float32 or float16");
  const foreign = [...inputs.keys()].find((name) => !["input_ids", "attention_mask", "position_ids"].includes(name));
  if (foreign !== undefined) throw refuse(`it wants the input ${foreign}`);
  const positions = inputs.get("position_ids");
  if (positions && positions.type !== "int64") throw refuse(`its input position_ids is ${positions.type}, not int64`);

  const shown = inputs.get("attention_mask");
  const ones = shown?.type === "int64" && shown.shape.length === 2;
  const additive = (shown?.type === "float32" || shown?.type === "float16") && shown.shape.length === 4;
  if (shown !== undefined && !ones && !additive)
    throw refuse(`its attention_mask is ${shown.type} of ${shown.shape.length} dimensions`);
  const width = output.shape[2];
  const found = typeof width === "number" && width > 0 ? width : undefined;
  if (found !== undefined && given !== undefined && found !== given)
    throw wrong("ERR_GRAPH", label, `its logits are ${found} wide, and vocabularySize is ${given}`);
  const vocabularySize = found ?? given;
  if (vocabularySize === undefined) throw refuse("the graph does not say how wide its logits are; pass vocabularySize");
  return {
    vocabularySize,
    idType: ids.type,
    positions: positions !== undefined,
    mask: shown === undefined ? "none" : ones ? "ones" : "additive",
    maskType: shown?.type === "float16" ? "float16" : "float32",
  } as const;
}

function checkCall(
  label: string,
  ids: Int32Array,
  bias: Float32Array | undefined,
  mask: Canvas["mask"],
  size: number,
): void {
  const refuse = (why: string) => wrong("ERR_CONTRACT", label, why);
  if (ids.length === 0) throw refuse("it was given no ids");
  for (const id of ids) if (id < 0 || id >= size) throw refuse(`id ${id} is outside 0..${size - 1}`);
  if (bias === undefined) return;
  if (mask !== "additive") throw refuse("it takes no attention bias");
  if (bias.length !== ids.length ** 2) throw refuse(`the bias has ${bias.length} values for ${ids.length} ids`);
}

const wrong = (code: "ERR_UNSUPPORTED" | "ERR_GRAPH" | "ERR_CONTRACT", label: string, why: string) =>
  new DiffuSpecError({
    code,
    what: `${label} is not run as a canvas`,
    why,
    next: "See createCanvas of @diffuspec/onnx-decoder for the graphs it takes.",
  });
