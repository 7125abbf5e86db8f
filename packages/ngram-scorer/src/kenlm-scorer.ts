import { optionError } from "./errors.ts";
import { extendKey, findEntry, type Key } from "./kenlm-hash.ts";
import type { KenlmModel } from "./kenlm-read.ts";
import { requireId } from "./model.ts";
import { bothForms, type NgramScorer, type NgramState, requireRoom } from "./scorer.ts";

export interface KenlmScorerOptions {
  /** How many ids there are, and the word of each: what the model lacks is <unk>. Default: KenLM's own ids. */
  readonly vocabularySize?: number;
  readonly word?: (id: number) => string;
  readonly name?: string;
}

/**
 * Scores with a KenLM probing model where it lies: the numbers of KenLM's `query`, as natural logs. A state holds KenLM's
 * ids, at most order - 1; ids that the vocabulary lacks are <unk>.
 *
 * @throws ERR_OPTION for `word` without `vocabularySize`; in score for a candidate outside the vocabulary, or a short `out`
 */
export function createKenlmScorer(model: KenlmModel, options: KenlmScorerOptions = {}): NgramScorer<NgramState> {
  const ids = idsOf(model, options);
  const span = model.order - 1;
  const { u32, f32, tables, unigrams } = model;
  const key: Key = { hi: 0, lo: 0 };
  /** Back-off of the last m ids of the state at hand; contexts are stored with all that is shorter. */
  const penalty = new Float64Array(span + 1);
  const known = (id: number) => ids[id] ?? 0;

  function enter(state: NgramState): number {
    let m = 1;
    for (; m <= Math.min(state.length, span); m++) {
      const id = state[state.length - m]!;
      if (m === 1) {
        start(id);
        penalty[m] = f32[unigrams + 2 * id + 1]!;
        continue;
      }
      extendKey(key, id);
      const at = findEntry(u32, tables[m - 2]!, key);
      if (at === -1) break;
      penalty[m] = f32[at + 3]!;
    }
    return m - 1;
  }

  function start(id: number): void {
    key.hi = 0;
    key.lo = id;
  }

  function scoreOne(state: NgramState, longest: number, id: number): number {
    let found = -Math.abs(f32[unigrams + 2 * id]!);
    let m = 1;
    start(id);
    for (; m <= longest; m++) {
      extendKey(key, state[state.length - m]!);
      const at = findEntry(u32, tables[m - 1]!, key);
      if (at === -1) break;
      found = -Math.abs(f32[at + 2]!);
    }
    for (; m <= longest; m++) found += penalty[m]!;
    return found * Math.LN10;
  }

  return {
    name: options.name ?? `${model.order}-gram of KenLM`,
    begin: (context) => Array.from(context.subarray(Math.max(0, context.length - span)), known),
    advance: (state, token) => [...state.slice(state.length < span ? 0 : 1), known(token)],
    score: bothForms(
      (state, token) => {
        requireId({ vocabularySize: ids.length }, token);
        return scoreOne(state, enter(state), ids[token]!);
      },
      (states, candidates, out) => {
        const width = candidates.length;
        for (let c = 0; c < width; c++) requireId({ vocabularySize: ids.length }, candidates[c]!);
        requireRoom(out, states.length * width);
        for (const [row, state] of states.entries()) {
          const longest = enter(state);
          for (let c = 0; c < width; c++) out[row * width + c] = scoreOne(state, longest, ids[candidates[c]!]!);
        }
      },
    ),
  };
}

/** KenLM's id of each of the caller's. */
function idsOf({ words }: KenlmModel, { vocabularySize, word }: KenlmScorerOptions): Uint32Array {
  if (word === undefined) return Uint32Array.from(words, (_, id) => id);
  if (!Number.isInteger(vocabularySize) || vocabularySize! < 1 || vocabularySize! > 2 ** 24)
    throw optionError(`vocabularySize is ${vocabularySize}`, "with `word` it is an integer in 1..2^24");
  const known = new Map(words.map((text, id) => [text, id]));
  return Uint32Array.from({ length: vocabularySize! }, (_, id) => known.get(word(id)) ?? 0);
}
