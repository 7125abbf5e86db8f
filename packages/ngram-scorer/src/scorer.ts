import type { CausalScorer } from "@diffuspec/contracts";
import { bestChildren } from "./best-children.ts";
import { optionError } from "./errors.ts";
import { findChild, type NgramModel, requireId } from "./model.ts";

/** The last ids, at most order - 1 of them, oldest first. */
export type NgramState = readonly number[];

/** A CausalScorer that answers at once: no promise to wait for, so that a look-up costs a look-up. */
export interface SyncCausalScorer<State> extends CausalScorer<State> {
  begin(context: Int32Array): State;
  score(states: readonly State[], candidates: Int32Array, out: Float64Array): void;
}

/** A scorer that names candidates of its own. */
export interface NamingScorer<State> extends SyncCausalScorer<State> {
  likely(state: State): readonly number[];
}

/** A scorer that is asked for one id too. */
export interface NgramScorer<State> extends SyncCausalScorer<State> {
  /** ln p(token | state). */
  score(state: State, token: number): number;
  score(states: readonly State[], candidates: Int32Array, out: Float64Array): void;
}

/**
 * Scores candidates with an n-gram model. A state's contexts are looked up once for all candidates of a call and of the calls
 * that follow it with the same state, each only when a candidate is not found behind a longer one; a state of one
 * id more goes on from there. A call allocates nothing. Ids of a context that the vocabulary lacks (a mask, say) are contexts never seen.
 *
 * @throws ERR_OPTION (in score) for a candidate outside the vocabulary, or where `out` is too short
 */
export function createNgramScorer(
  model: NgramModel,
  name = `${model.order}-gram`,
): NgramScorer<NgramState> & NamingScorer<NgramState> {
  const span = model.order - 1;
  const tokens = model.levels.map((level) => level.tokens);
  const logProb = model.levels.map((level) => level.logProb);
  let state: NgramState = [];
  let longest = 0;
  /** Of the state at hand, the contexts of this many ids and more are looked up. */
  let entered = 1;
  // by the number m of ids in such a context: the node of its first `followed` ids, or -1, and where the children of all are
  const nodes = new Int32Array(span + 1);
  const followed = new Int32Array(span + 1);
  const first = new Int32Array(span + 1);
  const last = new Int32Array(span + 1);

  function enter(given: NgramState): void {
    if (given === state) return;
    if (follows(state, given)) {
      nodes.copyWithin(2, 1);
      followed.copyWithin(2, 1);
      followed[1] = 0;
    } else followed.fill(0);
    state = given;
    longest = Math.min(state.length, span);
    entered = longest + 1;
  }

  /** A context not stored has no children and backs off for free. */
  function lookUp(m: number): void {
    const start = state.length - m;
    let node = nodes[m]!;
    let length = followed[m]!;
    if (length === 0) {
      const id = state[start]!;
      node = id >= 0 && id < model.vocabularySize ? id : -1;
      length = 1;
    }
    for (; length < m && node !== -1; length++) node = findChild(model, length, node, state[start + length]!);
    const { childStart } = model.levels[m - 1]!;
    nodes[m] = node;
    followed[m] = m;
    first[m] = node === -1 ? 0 : childStart[node]!;
    last[m] = node === -1 ? 0 : childStart[node + 1]!;
    entered = m;
  }

  function scoreOne(token: number): number {
    let backedOff = 0;
    for (let m = longest; m > 0; m--) {
      if (m < entered) lookUp(m);
      if (nodes[m] === -1) continue;
      const ids = tokens[m]!;
      let low = first[m]!;
      let high = last[m]!;
      const end = high;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (ids[middle]! < token) low = middle + 1;
        else high = middle;
      }
      if (low < end && ids[low] === token) return backedOff + logProb[m]![low]!;
      backedOff += model.levels[m - 1]!.backoff[nodes[m]!]!;
    }
    return backedOff + logProb[0]![token]!;
  }

  /**
   * Greedy decoding in a few look-ups: the best over the orders of (back-offs so far + best child). For an interpolated model this is
   * the exact argmax, as a child's own probability is never below what backing off would give it. Ties fall to the longer context.
   */
  function mostLikely(given: NgramState): number {
    const { unigram, after } = bestChildren(model);
    enter(given);
    let choice = -1;
    let height = Number.NEGATIVE_INFINITY;
    let backedOff = 0;
    for (let m = longest; m > 0; m--) {
      if (m < entered) lookUp(m);
      const node = nodes[m]!;
      if (node === -1) continue;
      const child = after[m - 1]![node]!;
      if (child !== -1 && backedOff + logProb[m]![child]! > height) {
        height = backedOff + logProb[m]![child]!;
        choice = tokens[m]![child]!;
      }
      backedOff += model.levels[m - 1]!.backoff[node]!;
    }
    return backedOff + logProb[0]![unigram]! > height ? unigram : choice;
  }

  return {
    name,
    begin: (context) => lastIds(context, span),
    advance: (state, token) => shifted(state, token, span),
    likely: (state) => [mostLikely(state)],
    score: bothForms(
      (state, token) => {
        requireId(model, token);
        enter(state);
        return scoreOne(token);
      },
      (states, candidates, out) => {
        const width = candidates.length;
        for (let c = 0; c < width; c++) requireId(model, candidates[c]!);
        requireRoom(out, states.length * width);
        for (let row = 0; row < states.length; row++) {
          enter(states[row]!);
          for (let c = 0; c < width; c++) out[row * width + c] = scoreOne(candidates[c]!);
        }
      },
    ),
  };
}

/** Every id equally likely: a search with it follows the drafter alone. @throws ERR_OPTION */
export function createUniformScorer(vocabularySize: number): SyncCausalScorer<null> {
  if (!Number.isInteger(vocabularySize) || vocabularySize < 1)
    throw optionError(`vocabularySize is ${vocabularySize}`, "it is a positive integer");
  const logProb = -Math.log(vocabularySize);
  return {
    name: "uniform",
    begin: () => null,
    advance: () => null,
    score(states, candidates, out) {
      requireRoom(out, states.length * candidates.length);
      out.fill(logProb, 0, states.length * candidates.length);
    },
  };
}

/** The last ids of a text, at most `span`. */
export function lastIds(text: Int32Array, span: number): NgramState {
  const ids: number[] = [];
  for (let i = Math.max(0, text.length - span); i < text.length; i++) ids.push(text[i]!);
  return ids;
}

/** Whether `next` is the end of a state and one more id. */
export function follows(state: NgramState, next: NgramState): boolean {
  const more = state.length - next.length + 1;
  if (next.length === 0 || more < 0) return false;
  for (let i = 0; i < next.length - 1; i++) if (next[i] !== state[more + i]) return false;
  return true;
}

/** A state and one more id, of which the last `span` are kept. */
export function shifted(state: NgramState, token: number, span: number): NgramState {
  const next: number[] = [];
  if (span === 0) return next;
  for (let i = state.length < span ? 0 : 1; i < state.length; i++) next.push(state[i]!);
  next.push(token);
  return next;
}

/** The two forms of score() as one function. */
export function bothForms<State>(
  one: (state: State, token: number) => number,
  many: (states: readonly State[], candidates: Int32Array, out: Float64Array) => void,
): NgramScorer<State>["score"] {
  function score(state: State, token: number): number;
  function score(states: readonly State[], candidates: Int32Array, out: Float64Array): void;
  function score(given: State | readonly State[], asked: number | Int32Array, out?: Float64Array): number | undefined {
    if (typeof asked === "number") return one(given as State, asked);
    many(given as readonly State[], asked, out!);
    return undefined;
  }
  return score;
}

export function requireRoom(out: Float64Array, wanted: number): void {
  if (out.length < wanted) throw optionError(`out has ${out.length} places`, `states x candidates is ${wanted}`);
}
