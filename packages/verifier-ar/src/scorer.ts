import { type CausalScorer, DiffuSpecError } from "@diffuspec/contracts";
import { causalBias, createCache, type Decoder, rowRange } from "@diffuspec/onnx-decoder";
import { branchBias, createBranches } from "./branches.ts";
import { optionError } from "./target.ts";

/** What the next id is asked after: the text that begin() was given, and the ids behind it. Plain data, valid for good. */
export interface ModelState {
  /** A copy; at least one id. Shared by all states of one begin(). */
  readonly text: Int32Array;
  readonly path: readonly number[];
}

/** Options of {@link createModelScorer}. */
export interface ModelScorerOptions {
  /** A graph for trees: with the inputs attention_bias and position_ids, and the output logits. It stays the caller's. */
  readonly decoder: Decoder;
  /** Divides the logits, > 0; default 1. A model that is cut off after its first layers is often too sure, or not sure enough. */
  readonly temperature?: number;
  /** Ids of one pass over a text that is new; default 64. */
  readonly prefillChunk?: number;
  /** Default "model". */
  readonly name?: string;
}

/** The defaults of {@link createModelScorer}. */
export const MODEL_SCORER_DEFAULTS = { temperature: 1, prefillChunk: 64, name: "model" } as const;

/** A causal language model as a scorer: one for each session; any number may share a decoder. */
export interface ModelScorer extends CausalScorer<ModelState> {
  begin(context: Int32Array): ModelState;
  score(states: readonly ModelState[], candidates: Int32Array, out: Float64Array): Promise<void>;
  /** Frees the cache; the decoder stays open. */
  dispose(): void;
}

/**
 * The paper's other scorer: a small causal language model, the target's own first layers for instance. One call of score() is
 * one pass, whatever the number of states (one for each text, where they belong to several): the states' last ids are fed side
 * by side, and each sees the text and the ids of its own path. Keys and values of the text are kept from call to call, and
 * those of the paths as long as the text stays the same, so that a beam search feeds as many rows a position as it has live paths.
 * What a text has gained since the last one is fed in the same pass as its first question.
 *
 * States stay valid when another text has begun; asking them computes again what was forgotten. Calls that come at the same
 * time wait for each other. Vocabulary and context are the model's: it must know every id of the texts and candidates, and text
 * and paths together must fit into its positions.
 *
 * @throws ERR_OPTION for bad options, or a decoder without those inputs and outputs. begin() throws ERR_PROMPT for an empty text;
 *   score() throws ERR_OPTION for a candidate outside the vocabulary and an `out` that is too short, and rejects with
 *   ERR_CONTEXT_EXCEEDED, ERR_CLOSED, ERR_GRAPH, or ERR_CONTRACT for an id of a state that is outside the vocabulary
 */
export function createModelScorer(options: ModelScorerOptions): ModelScorer {
  const { decoder, temperature, prefillChunk, name } = checked(options);
  const { vocabularySize, positions } = decoder.shape;
  const cache = createCache(decoder.shape);
  const branches = createBranches();
  /** The ids behind the first cache rows; those of branches lie behind them. */
  let text: Int32Array = new Int32Array(0);
  let queue: Promise<unknown> = Promise.resolve();

  function forgetBranches(rows = text.length): void {
    cache.truncate(Math.min(cache.length, rows));
    branches.clear();
  }

  /** Makes these ids, the last one aside, the text of the cache, whose rows may then end before it. */
  function follow(ids: Int32Array): void {
    const length = ids.length - 1;
    let shared = 0;
    while (shared < Math.min(length, text.length) && text[shared] === ids[shared]) shared++;
    if (shared !== length || shared !== text.length) forgetBranches(shared);
    text = ids.subarray(0, length);
  }

  /** All of a long text but its last chunk, which goes with the first question. */
  async function prefill(): Promise<void> {
    while (text.length - cache.length > prefillChunk) {
      const past = cache.length;
      const ids = text.slice(past, past + prefillChunk);
      const bias = causalBias(ids.length, past);
      const place = rowRange(past, past + ids.length);
      const pass = await decoder.run(cache, { ids, rows: rowRange(0, 1), fetch: ["new_kv"], bias, positions: place });
      cache.append(pass, rowRange(0, ids.length));
    }
  }

  /** ln p of the candidates after each of these states, which share a text. */
  async function ask(states: readonly ModelState[], candidates: Int32Array): Promise<Float64Array[]> {
    const { text: whole } = states[0]!;
    follow(whole);
    const most = states.reduce((sum, { path }) => sum + path.length + 1, 0);
    if (text.length + branches.count + most > positions) forgetBranches();
    await prefill();
    const known = branches.count;
    const fresh = Math.max(0, text.length - cache.length);
    const root = whole[whole.length - 1]!;
    const nodes = states.map(({ path }) => branches.ask([root, ...path], known));
    const added = branches.tokens.slice(known);
    const past = cache.length;
    const count = fresh + added.length;
    const pass = await decoder.run(cache, {
      ids: Int32Array.of(...text.subarray(text.length - fresh), ...added),
      rows: Int32Array.from(nodes, (node) => fresh + node - known),
      fetch: ["new_kv", "logits"],
      bias: branchBias(branches, { text: text.length, past, count }),
      positions: Int32Array.from({ length: count }, (_, i) =>
        i < fresh ? past + i : text.length + branches.depths[known + i - fresh]!,
      ),
    });
    cache.append(pass, rowRange(0, count));
    const logits = pass.f32("logits");
    return nodes.map((_, i) =>
      logProbs(logits.subarray(i * vocabularySize, (i + 1) * vocabularySize), candidates, temperature),
    );
  }

  async function answer(states: readonly ModelState[], candidates: Int32Array, out: Float64Array): Promise<void> {
    for (const group of byText(states)) {
      try {
        const found = await ask(
          group.map((i) => states[i]!),
          candidates,
        );
        for (const [g, i] of group.entries()) out.set(found[g]!, i * candidates.length);
      } catch (error) {
        forgetBranches(0);
        text = new Int32Array(0);
        throw error;
      }
    }
  }

  return {
    name,
    begin(context) {
      if (context.length > 0) return { text: context.slice(), path: [] };
      throw new DiffuSpecError({
        code: "ERR_PROMPT",
        what: `The scorer ${name} was asked to begin`,
        why: "the text has no ids, and a model needs one to start from",
        next: "Begin with the model's bosId.",
      });
    },
    advance: ({ text: before, path }, token) => ({ text: before, path: [...path, token] }),
    score(states, candidates, out) {
      if (out.length < states.length * candidates.length)
        throw optionError(`out has ${out.length} places`, "states x candidates are needed", "Pass a longer array.");
      for (const id of candidates)
        if (id < 0 || id >= vocabularySize)
          throw optionError(
            `The candidate ${id} was asked about`,
            `the model has the ids 0..${vocabularySize - 1}`,
            "Use a scorer of the target's vocabulary.",
          );
      const work = queue.then(() => answer(states, candidates, out));
      queue = work.catch(() => {});
      return work;
    },
    dispose: () => cache.dispose(),
  };
}

/** Which of the states belong to one text. */
function byText(states: readonly ModelState[]): number[][] {
  const groups: number[][] = [];
  for (const [i, { text }] of states.entries()) {
    const group = groups.find(([first]) => sameIds(states[first!]!.text, text));
    if (group) group.push(i);
    else groups.push([i]);
  }
  return groups;
}

const sameIds = (a: Int32Array, b: Int32Array) => a === b || (a.length === b.length && a.every((id, i) => id === b[i]));

function logProbs(logits: Float32Array, candidates: Int32Array, temperature: number): Float64Array {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > highest) highest = logits[i]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i]! - highest) / temperature);
  const total = Math.log(sum);
  return Float64Array.from(candidates, (id) => (logits[id]! - highest) / temperature - total);
}

function checked(options: ModelScorerOptions): Required<ModelScorerOptions> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all = { ...MODEL_SCORER_DEFAULTS, ...given } as Required<ModelScorerOptions>;
  const { decoder, temperature, prefillChunk, name } = all;
  const lacks =
    ["attention_bias", "position_ids"].find((input) => !decoder?.inputs.has(input)) ??
    ["new_kv", "logits"].find((output) => !decoder.outputs.has(output));
  if (lacks !== undefined)
    throw optionError(`The decoder has no ${lacks}`, "paths are asked about side by side", "Pass a graph for trees.");
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY))
    throw optionError(`temperature is ${temperature}`, "it is a number above 0", "Pass 1 to leave the model as it is.");
  if (!Number.isInteger(prefillChunk) || prefillChunk < 1)
    throw optionError(`prefillChunk is ${prefillChunk}`, "it is a positive integer", "The default is 64.");
  if (typeof name !== "string" || name === "") throw optionError("name is empty", "it is a text", "Pass one.");
  return all;
}
