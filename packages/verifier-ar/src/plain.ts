import { abortError, argmax, DiffuSpecError, type Sampler } from "@diffuspec/contracts";
import { createCache, createDecoder, type Decoder, rowRange } from "@diffuspec/onnx-decoder";
import { graphsOf, limitsOf, type ModelOptions, type Precision } from "./target.ts";

/** Options of {@link createPlainDecoder}. */
export interface PlainOptions extends ModelOptions {
  /** Default "int8". */
  readonly precision?: Precision;
  /** A chain graph that is loaded already; it stays the caller's. */
  readonly decoder?: Decoder;
}

/** One call of {@link PlainDecoder.decode}. */
export interface PlainRequest {
  readonly maxTokens: number;
  /** Default: the argmax. */
  readonly sampler?: Sampler;
  /** Default true: an end-of-text id ends the completion and is its last id. */
  readonly stopAtEos?: boolean;
  readonly signal?: AbortSignal;
}

export interface PlainResult {
  /** The completion. */
  readonly ids: Int32Array;
  /** Milliseconds for the prompt, out of which the first token comes. */
  readonly prefillMs: number;
  /** Milliseconds of all passes behind it, one a further token. */
  readonly decodeMs: number;
}

/** Decoding without drafts, one row a pass: the baseline that speculation has to beat. */
export interface PlainDecoder {
  readonly precision: Precision;
  /** @throws ERR_OPTION, ERR_PROMPT, ERR_CONTEXT_EXCEEDED, ERR_ABORTED, ERR_CLOSED */
  decode(ids: Int32Array, request: PlainRequest): Promise<PlainResult>;
  dispose(): Promise<void>;
}

const PREFILL_CHUNK = 256;

/** @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_GRAPH */
export async function createPlainDecoder(options: PlainOptions): Promise<PlainDecoder> {
  const { target, resolve, precision = "int8" } = options;
  const { contextLength } = limitsOf(target);
  const file = graphsOf(target, precision).chain;
  const decoder =
    options.decoder ??
    (await createDecoder({
      graph: resolve(file),
      shape: target,
      label: file,
      ...(options.threads !== undefined && { threads: options.threads }),
      ...(options.spin !== undefined && { spin: options.spin }),
    }));

  return {
    precision,
    async decode(prompt, { maxTokens, sampler, stopAtEos = true, signal }) {
      checkRequest(prompt, maxTokens, target.vocabularySize, contextLength);
      const greedy = sampler === undefined || sampler.argmaxOnly;
      const fetch = greedy && decoder.outputs.has("argmax") ? ["new_kv", "argmax"] : ["new_kv", "logits"];
      const first = rowRange(0, 1);
      const cache = createCache(target);
      const ids = new Int32Array(prompt.length + maxTokens);
      ids.set(prompt);
      let length = prompt.length;
      try {
        const begun = performance.now();
        let prefilled = begun;
        while (length < ids.length) {
          if (signal?.aborted) throw abortError(signal);
          const count = Math.min(PREFILL_CHUNK, length - cache.length);
          const last = cache.length + count === length;
          const pass = await decoder.run(cache, {
            ids: ids.subarray(cache.length, cache.length + count),
            rows: last ? rowRange(count - 1, count) : first,
            fetch: last ? fetch : ["new_kv"],
          });
          cache.append(pass, rowRange(0, count));
          if (!last) continue;
          const next =
            fetch[1] === "argmax"
              ? pass.i32("argmax")[0]!
              : greedy
                ? argmax(pass.f32("logits"))
                : sampler.token(pass.f32("logits"), length, ids.subarray(0, length));
          if (length === prompt.length) prefilled = performance.now();
          ids[length++] = next;
          if (stopAtEos && target.eosIds.includes(next)) break;
        }
        return {
          ids: ids.slice(prompt.length, length),
          prefillMs: prefilled - begun,
          decodeMs: performance.now() - prefilled,
        };
      } finally {
        cache.dispose();
      }
    },
    async dispose() {
      if (options.decoder === undefined) await decoder.dispose();
    },
  };
}

/** Options of {@link pickFastestPlain}. */
export interface FastestOptions extends ModelOptions {
  /** Chain graphs that are loaded already, by precision; they stay the caller's. */
  readonly decoders?: Readonly<Partial<Record<Precision, Decoder>>>;
  /** Tokens of each timed run; default 24. */
  readonly tokens?: number;
  /** Timed runs of each graph, taking turns; default 3. */
  readonly repeats?: number;
}

/** Times plain decoding on every graph of the checkpoint and returns the fastest; the others are disposed. */
export async function pickFastestPlain(
  options: FastestOptions,
): Promise<{ plain: PlainDecoder; msPerToken: Readonly<Partial<Record<Precision, number>>> }> {
  const { target, decoders = {}, tokens = 24, repeats = 3 } = options;
  const candidates: { plain: PlainDecoder; ms: number[] }[] = [];
  for (const precision of Object.keys(target.graphs) as Precision[]) {
    const decoder = decoders[precision];
    candidates.push({
      plain: await createPlainDecoder({ ...options, precision, ...(decoder && { decoder }) }),
      ms: [],
    });
  }
  const count = Math.min(tokens, limitsOf(target).contextLength - 2);
  for (let round = -1; round < repeats; round++)
    for (const { plain, ms } of candidates) {
      const { decodeMs } = await plain.decode(Int32Array.of(target.bosId ?? 0, 1), {
        maxTokens: count,
        stopAtEos: false,
      });
      if (round >= 0) ms.push(decodeMs / count);
    }
  const median = (ms: number[]) => ms.sort((a, b) => a - b)[ms.length >> 1]!;
  const ranked = candidates.map(({ plain, ms }) => ({ plain, ms: median(ms) })).sort((a, b) => a.ms - b.ms);
  for (const { plain } of ranked.slice(1)) await plain.dispose();
  return {
    plain: ranked[0]!.plain,
    msPerToken: Object.fromEntries(ranked.map(({ plain, ms }) => [plain.precision, ms])),
  };
}

function checkRequest(prompt: Int32Array, maxTokens: number, vocabularySize: number, contextLength: number): void {
  const fail = (code: "ERR_OPTION" | "ERR_PROMPT" | "ERR_CONTEXT_EXCEEDED", what: string, why: string, next: string) =>
    new DiffuSpecError({ code, what, why, next });
  if (!Number.isInteger(maxTokens) || maxTokens < 1)
    throw fail("ERR_OPTION", `maxTokens is ${maxTokens}`, "it is a positive integer", "Pass one.");
  if (prompt.length === 0)
    throw fail("ERR_PROMPT", "The prompt was refused", "it has no ids", "Begin with the model's bosId.");
  for (const id of prompt)
    if (id < 0 || id >= vocabularySize)
      throw fail(
        "ERR_PROMPT",
        "The prompt was refused",
        `its id ${id} is outside 0..${vocabularySize - 1}`,
        "Use the model's tokenizer.",
      );
  if (prompt.length + maxTokens > contextLength)
    throw fail(
      "ERR_CONTEXT_EXCEEDED",
      `${prompt.length} ids of prompt and ${maxTokens} of completion were asked for`,
      `the model has a context of ${contextLength}`,
      "Ask for fewer.",
    );
}
