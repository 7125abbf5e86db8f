import { DiffuSpecError } from "@diffuspec/contracts";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { KvCache } from "./cache.ts";
import { checkRequest, type Decoder } from "./decoder.ts";
import { closed, failed, type GraphOptions, openGraph } from "./graph-session.ts";
import { fromHalf, halfBitsOf, toHalf } from "./half.ts";
import { checkHubGraph, type HubGraph } from "./hub-check.ts";
import { input } from "./input.ts";
import { createPass } from "./pass.ts";
import { int64, rowRange } from "./rows.ts";
import { type DecoderShape, validateShape } from "./shape.ts";

/** Options of {@link createHubDecoder}. */
export interface HubDecoderOptions extends GraphOptions {
  /** Most rows of past and pass together; the sizes given beside it must be the graph's. */
  readonly shape: Partial<DecoderShape> & Pick<DecoderShape, "positions">;
}

/** A published graph behind the same interface as ours. Its requests take neither bias nor positions: chains only. */
export interface HubDecoder extends Decoder {
  /** Type of the graph's keys and values; half ones are kept as the float32 numbers they are. */
  readonly kvType: "float32" | "float16";
}

const REQUEST_INPUTS: ReadonlySet<string> = new Set(["input_ids"]);
const OUTPUTS: ReadonlySet<string> = new Set(["logits", "new_kv"]);

/**
 * Loads a decoder in the convention of the models published for transformers.js: input_ids, attention_mask, position_ids
 * and num_logits_to_keep (int64, the last three optional), past_key_values.N.key|value; logits and present.N.key|value.
 *
 * Such a graph takes keys and values of just the past's length and gives all of them back: each pass copies the cache
 * twice, which {@link createDecoder}'s own graphs do not. Where nothing but keys and values is fetched, the LM head is given
 * one row, if the graph can.
 *
 * @throws ERR_MODEL_FILE_MISSING, ERR_GRAPH, ERR_OPTION, ERR_UNSUPPORTED (another convention, or a state that is no cache)
 */
export async function createHubDecoder(options: HubDecoderOptions): Promise<HubDecoder> {
  const { session, threads, label } = await openGraph(options);
  let graph: HubGraph;
  try {
    graph = checkHubGraph(session, options.shape, label);
    validateShape(graph.shape, label);
  } catch (error) {
    await session.release();
    throw error;
  }
  const { shape, kvType } = graph;
  const feedsOf = createFeeds(session, graph);
  const presents = Array.from({ length: 2 * shape.layers }, (_, i) => `present.${i >> 1}.${i & 1 ? "value" : "key"}`);
  const limits = { label, shape, inputs: REQUEST_INPUTS, outputs: OUTPUTS, tapsWidth: 0 };
  let disposed = false;

  return {
    ...limits,
    kvType,
    threads,
    async run(cache, request) {
      if (disposed) throw closed(label);
      checkRequest(request, cache, limits);
      const { ids, rows, fetch } = request;
      const past = cache.length;
      const logits = fetch.includes("logits");
      const kv = fetch.includes("new_kv");
      const feeds = feedsOf(cache, ids, logits);
      let found: Record<string, Tensor>;
      try {
        found = (await session.run(feeds, [...(logits ? ["logits"] : []), ...(kv ? presents : [])])) as typeof found;
      } catch (cause) {
        throw disposed ? closed(label) : failed(label, cause);
      }
      return createPass(past, ids.length, {
        ...(logits && { logits: { data: pickRows(found.logits!, rows, ids.length, shape.vocabularySize, label) } }),
        ...(kv && {
          new_kv: {
            data: newRows(
              presents.map((name) => found[name]!),
              past,
              ids.length,
              shape,
              label,
            ),
          },
        }),
      });
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await session.release();
    },
  };
}

/** Makes the inputs of a pass. The packed past of a cache is kept between passes, for a cache serves one pass at a time. */
function createFeeds(session: InferenceSession, { shape, kvType, keepDims }: HubGraph) {
  const { layers, kvHeads, headDim } = shape;
  const half = kvType === "float16";
  const inputs = new Set(session.inputNames);
  const packed = new WeakMap<KvCache, (Float32Array | Uint16Array)[]>();

  /** [kvHeads, capacity, headDim] without the rows beyond the cache's length. */
  function pastOf(cache: KvCache): Record<string, Tensor> {
    const { length, capacity } = cache;
    const size = kvHeads * length * headDim;
    let room = packed.get(cache);
    if (room === undefined || room[0]!.length < size) {
      const most = kvHeads * capacity * headDim;
      room = Array.from({ length: 2 * layers }, () => (half ? new Uint16Array(most) : new Float32Array(most)));
      packed.set(cache, room);
    }
    const kept = cache.feeds();
    return Object.fromEntries(
      room.map((into, i) => {
        const side = i & 1 ? "value" : "key";
        const from = kept[`past_${i >> 1}_${side}`]!.data as Float32Array;
        for (let head = 0; head < kvHeads; head++) {
          const rows = from.subarray(head * capacity * headDim, (head * capacity + length) * headDim);
          const at = head * length * headDim;
          if (into instanceof Uint16Array) toHalf(rows, into.subarray(at, at + rows.length));
          else into.set(rows, at);
        }
        const dims = [1, kvHeads, length, headDim];
        return [`past_key_values.${i >> 1}.${side}`, input(kvType, into.subarray(0, size), dims)];
      }),
    );
  }

  return (cache: KvCache, ids: Int32Array, logits: boolean): Record<string, Tensor> => {
    const past = cache.length;
    const count = ids.length;
    const total = past + count;
    const keep = BigInt64Array.of(logits ? 0n : 1n); // 0 keeps all
    return {
      ...pastOf(cache),
      input_ids: input("int64", int64(ids), [1, count]),
      ...(inputs.has("attention_mask") && {
        attention_mask: input("int64", new BigInt64Array(total).fill(1n), [1, total]),
      }),
      ...(inputs.has("position_ids") && {
        position_ids: input("int64", int64(rowRange(past, total)), [1, count]),
      }),
      ...(keepDims && { num_logits_to_keep: input("int64", keep, keepDims) }),
    };
  };
}

/** Logits of these rows, [rows, vocabularySize], from those of all rows. */
function pickRows({ data, dims }: Tensor, rows: Int32Array, count: number, size: number, label: string): Float32Array {
  if (dims.join() !== [1, count, size].join()) throw misshapen(label, "logits", dims, [1, count, size]);
  const all = floats(data);
  if (rows.length === count && rows.every((row, i) => row === i)) return all;
  const out = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) out.set(all.subarray(row * size, (row + 1) * size), i * size);
  return out;
}

/** The last `count` rows of every present tensor: [2 * layers, kvHeads, count, headDim]. */
function newRows(
  presents: readonly Tensor[],
  past: number,
  count: number,
  { kvHeads, headDim }: DecoderShape,
  label: string,
): Float32Array {
  const total = past + count;
  const out = new Float32Array(presents.length * kvHeads * count * headDim);
  for (const [i, { data, dims }] of presents.entries()) {
    const wanted = [1, kvHeads, total, headDim];
    if (dims.join() !== wanted.join()) throw misshapen(label, "present keys or values", dims, wanted);
    const half = halfBitsOf(data);
    for (let head = 0; head < kvHeads; head++) {
      const [from, to] = [(head * total + past) * headDim, (head + 1) * total * headDim];
      const at = (i * kvHeads + head) * count * headDim;
      if (half) fromHalf(half.subarray(from, to), out.subarray(at, at + to - from));
      else out.set((data as Float32Array).subarray(from, to), at);
    }
  }
  return out;
}

function floats(data: unknown): Float32Array {
  const half = halfBitsOf(data);
  return half ? fromHalf(half) : (data as Float32Array);
}

const misshapen = (label: string, what: string, found: readonly number[], wanted: readonly number[]) =>
  new DiffuSpecError({
    code: "ERR_GRAPH",
    what: `${label} gave ${what} of another size`,
    why: `they are ${found.join(" x ")} and should be ${wanted.join(" x ")}`,
    next: "Use a text decoder exported with past_key_values, as for transformers.js 3.",
  });
