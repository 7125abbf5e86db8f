import { optionError } from "./errors.ts";
import { type NgramModel, requireId } from "./model.ts";
import { createRecentCounts, ROOT } from "./recent-counts.ts";
import { createNgramScorer, follows, lastIds, type NamingScorer, type NgramState, shifted } from "./scorer.ts";

export interface OnlineOptions {
  /** Shortest and longest context, in ids, that recent text is counted for; 1..16. */
  readonly shortest?: number;
  readonly longest?: number;
  /** The last ids learnt that count, at least; twice as many at most. 1..2^18. */
  readonly window?: number;
  /**
   * Taken from every count and given to the model below, 0..1: one for all contexts, or one each by their length in ids, from 1 on, the
   * last for all that are longer.
   */
  readonly discount?: number | readonly number[];
  /** Occurrences of a context that the model below counts as; > 0. */
  readonly strength?: number;
}

/** Fitted on JavaScript files of 200 to 1,024 ids, 4,096 in the vocabulary; flat around here. */
export const ONLINE_DEFAULTS = { shortest: 1, longest: 4, window: 4096, discount: 0.7, strength: 1 } as const;

/** A scorer that learns from the text it is used on: one for each generation or session. */
export interface OnlineScorer extends NamingScorer<NgramState> {
  /** Counts ids that follow those learnt before: first the prompt, then what each round commits. @throws ERR_OPTION */
  learn(ids: ArrayLike<number>): void;
  /**
   * Those that may be the most probable next id, each once: the model's own best, and what followed the state's contexts most
   * often in what was learnt, longest context first.
   */
  likely(state: NgramState): readonly number[];
  /** Forgets all of it: scores are the model's own again. */
  forget(): void;
  /** Memory beside the model, fixed at construction. */
  readonly bytes: number;
}

/**
 * An n-gram model topped up with counts of recent ids. From the shortest context to the longest, with p the probability so
 * far (at first the model's), n and k the occurrences and distinct followers of the context, c those of the token after it:
 *
 *   p <- (max(c - discount, 0) + (strength + discount * k) * p) / (n + strength)
 *
 * which is the predictive rule of a hierarchical Pitman-Yor process with one table a follower (Teh 2006): probabilities
 * still sum to 1, and where nothing was learnt they are the model's. States hold the last ids and stay valid over learn().
 *
 * @throws ERR_OPTION for bad options
 */
export function createOnlineScorer(model: NgramModel, options: OnlineOptions = {}): OnlineScorer {
  const { shortest, longest, window, discounts, strength } = checked(options);
  const base = createNgramScorer(model);
  const span = Math.max(longest, model.order - 1);
  const recent = createRecentCounts(longest + 1, window);
  /** contexts[m], m up to `found`: the node of the last m ids of the state at hand, which has followers. */
  const contexts = new Int32Array(longest + 1);
  let entered: NgramState | undefined;
  let found = 0;

  function enter(state: NgramState): void {
    if (state === entered) return;
    const most = Math.min(longest, state.length);
    if (entered && follows(entered, state)) step(state[state.length - 1]!, most);
    else {
      found = 0;
      for (let i = state.length - most; i < state.length; i++) step(state[i]!, most);
    }
    entered = state;
  }

  /** Of every context found, and of none, the one with an id more; a context without followers has no longer one with any. */
  function step(id: number, limit: number): void {
    const most = Math.min(found + 1, limit);
    let shorter = ROOT;
    for (found = 0; found < most; found++) {
      const node = recent.child(shorter, id);
      if (node === -1 || recent.followers(node) === 0) return;
      shorter = contexts[found + 1]!;
      contexts[found + 1] = node;
    }
  }

  function topUp(logProb: number, token: number): number {
    let p = Math.exp(logProb);
    let node = ROOT;
    for (let m = shortest; m <= found; m++) {
      const context = contexts[m]!;
      if (node !== -1) node = recent.child(context, token); // what never followed a context followed no longer one
      const discount = discounts[m]!;
      const own = node === -1 ? 0 : recent.count(node) - discount;
      p = (own + (strength + discount * recent.kinds(context)) * p) / (recent.followers(context) + strength);
    }
    return Math.log(p);
  }

  return {
    name: `${base.name}+recent`,
    bytes: recent.bytes,
    begin: (context) => lastIds(context, span),
    advance: (state, token) => shifted(state, token, span),
    score(states, candidates, out) {
      base.score(states, candidates, out);
      const width = candidates.length;
      for (let row = 0; row < states.length; row++) {
        enter(states[row]!);
        if (found < shortest) continue;
        for (let c = 0; c < width; c++) out[row * width + c] = topUp(out[row * width + c]!, candidates[c]!);
      }
    },
    learn(ids) {
      for (let i = 0; i < ids.length; i++) requireId(model, ids[i]!);
      entered = undefined;
      for (let i = 0; i < ids.length; i++) recent.learn(ids[i]!);
    },
    likely(state) {
      const ids = [...base.likely(state)];
      enter(state);
      for (let m = found; m >= shortest; m--) {
        const id = recent.mostLikely(contexts[m]!);
        if (!ids.includes(id)) ids.push(id);
      }
      return ids;
    },
    forget() {
      entered = undefined;
      recent.forget();
    },
  };
}

/**
 * The scorer for a search that is handed the whole text each time: begin() first learns what the text has gained since the
 * last call. A text that does not continue the last one is learnt from its beginning, after the other is forgotten.
 *
 * @throws ERR_OPTION (in begin) for an id outside the vocabulary
 */
export function followText(scorer: OnlineScorer): NamingScorer<NgramState> {
  let text = new Int32Array(256);
  let length = 0;

  const continues = (context: Int32Array) => {
    if (context.length < length) return false;
    for (let i = 0; i < length; i++) if (context[i] !== text[i]) return false;
    return true;
  };

  return {
    name: scorer.name,
    begin(context) {
      if (!continues(context)) {
        scorer.forget();
        length = 0;
      }
      const gained = context.subarray(length);
      scorer.learn(gained);
      if (text.length < context.length) {
        const larger = new Int32Array(2 * context.length);
        larger.set(text.subarray(0, length));
        text = larger;
      }
      text.set(gained, length);
      length = context.length;
      return scorer.begin(context);
    },
    advance: scorer.advance,
    score: scorer.score,
    likely: scorer.likely,
  };
}

function checked(options: OnlineOptions) {
  const { shortest = ONLINE_DEFAULTS.shortest, longest = ONLINE_DEFAULTS.longest } = options;
  const { window = ONLINE_DEFAULTS.window, discount = ONLINE_DEFAULTS.discount } = options;
  const { strength = ONLINE_DEFAULTS.strength } = options;
  const lengths = Number.isInteger(shortest) && Number.isInteger(longest);
  if (!lengths || shortest < 1 || longest < shortest || longest > 16)
    throw optionError(`contexts are ${shortest} to ${longest} ids`, "lengths are integers in 1..16 in order");
  if (!Number.isInteger(window) || window < 1 || window > 2 ** 18)
    throw optionError(`window is ${window}`, "it is an integer in 1..2^18");
  const given = typeof discount === "number" ? [discount] : Array.isArray(discount) ? discount : [];
  if (given.length === 0 || !given.every((one) => one >= 0 && one <= 1))
    throw optionError(`discount is ${JSON.stringify(discount)}`, "it is a number in 0..1, or a list of such");
  if (!(strength > 0 && strength < Number.POSITIVE_INFINITY))
    throw optionError(`strength is ${strength}`, "it is a number above 0");
  /** By length; there is no context of length 0. */
  const discounts = Float64Array.from(
    { length: longest + 1 },
    (_, m) => given[Math.max(0, Math.min(m, given.length) - 1)]!,
  );
  return { shortest, longest, window, discounts, strength };
}
