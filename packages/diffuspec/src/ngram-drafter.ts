import {
  abortError,
  CONTRACT_VERSION,
  chain,
  DiffuSpecError,
  type Drafter,
  type DrafterSession,
  type Sampler,
} from "@diffuspec/contracts";
import {
  createOnlineScorer,
  type NgramModel,
  type NgramState,
  type OnlineOptions,
  type OnlineScorer,
} from "@diffuspec/ngram-scorer";
import { type CoupledNext, chanceOf, createCoupledNext } from "./coupled-ngram.ts";

export interface NgramDrafterOptions {
  readonly model: NgramModel;
  /** Ids that end a text; the draft ends with the first one. */
  readonly endIds: readonly number[];
  /** Ends the draft before the token with which the chance of the whole draft falls below this, 0 <= cut < 1. */
  readonly cut?: number;
  /** How the text at hand is counted. */
  readonly recent?: OnlineOptions;
}

/**
 * An n-gram as a drafter of its own, topped up with the text at hand: its most probable next id, or, where one samples, what it
 * would sample itself with the target's noise. What DiffuSpec has to beat with the same n-gram.
 */
export function createNgramDrafter({ model, endIds, cut = 0, recent = {} }: NgramDrafterOptions): Drafter {
  const next = createCoupledNext(model);
  return {
    contractVersion: CONTRACT_VERSION,
    name: "ngram",
    needs: {},
    open: () => openSession(createOnlineScorer(model, recent), next, endIds, cut),
  };
}

/** Ids of the longest context that a scorer may look at. */
const LONGEST = 16;

interface Choice {
  readonly id: number;
  /** That the target chooses it, too. */
  readonly chance: number;
}

function openSession(scorer: OnlineScorer, next: CoupledNext, endIds: readonly number[], cut: number): DrafterSession {
  let scores = new Float64Array(32);
  let sampler: Sampler | undefined;
  let text: number[] | undefined;
  /** Committed and not counted yet: the tables are cold behind a pass of the target, and rounds without a draft need them not. */
  let waiting: number[] = [];
  const running = () => {
    if (text) return text;
    throw new DiffuSpecError({
      code: "ERR_CONTRACT",
      what: "A session of the drafter ngram was used",
      why: "it has not begun, or it is disposed",
      next: "Call begin() first.",
    });
  };

  const ended = (path: readonly number[]) => endIds.includes(path[path.length - 1] ?? -1);

  /** The best of the model's own choice and of what followed these ids most often. */
  function greedy(ids: NgramState): Choice {
    const candidates = Int32Array.from(scorer.likely(ids));
    const logProbs = scoresOf(ids, candidates);
    let best = 0;
    for (let c = 1; c < candidates.length; c++) if (logProbs[c]! > logProbs[best]!) best = c;
    return { id: candidates[best]!, chance: Math.exp(logProbs[best]!) };
  }

  /** The same by ln p / temperature + noise, of the model's own best and of all that followed the last id. */
  function coupled(ids: NgramState, known: readonly number[], position: number, target: Sampler): Choice {
    const found = new Set(next(ids, position, target));
    const last = ids[ids.length - 1];
    for (let i = 1; i < known.length; i++) if (known[i - 1] === last) found.add(known[i]!);
    const candidates = Int32Array.from(found);
    const logProbs = scoresOf(ids, candidates);
    let [best, first, second] = [0, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const [c, id] of candidates.entries()) {
      const score = logProbs[c]! / target.temperature + target.noise(position, id);
      second = Math.max(second, Math.min(first, score));
      if (score > first) [best, first] = [c, score];
    }
    return { id: candidates[best]!, chance: chanceOf(first - second) };
  }

  function scoresOf(state: NgramState, candidates: Int32Array): Float64Array {
    if (candidates.length > scores.length) scores = new Float64Array(2 * candidates.length);
    scorer.score([state], candidates, scores);
    return scores;
  }

  return {
    begin(start) {
      const { ids } = start;
      sampler = start.sampler;
      text = Array.from(ids);
      scorer.forget();
      scorer.learn(ids);
      waiting = [];
    },
    propose({ length, nodes, head, signal }) {
      if (signal.aborted) throw abortError(signal);
      const known = running();
      scorer.learn(waiting);
      waiting = [];
      const most = Math.min(length, nodes);
      const path = Array.from(head.subarray(0, most));
      let ids = scorer.begin(Int32Array.from([...known.slice(-LONGEST), ...path]));
      let survival = 1;
      let expectedAccepted = path.length;
      while (path.length < most && !ended(path)) {
        const { id, chance } = sampler?.temperature
          ? coupled(ids, known, known.length + path.length, sampler)
          : greedy(ids);
        survival *= chance;
        if (survival < cut && path.length > 0) break;
        expectedAccepted += survival;
        path.push(id);
        ids = scorer.advance(ids, id);
      }
      const generatedLength = ended(path) ? path.length - 1 : most; // a cut is no end of text
      return { tree: chain(known[known.length - 1]!, path), generatedLength, expectedAccepted };
    },
    observe({ committed }) {
      const known = running();
      for (const id of committed) {
        waiting.push(id);
        known.push(id);
      }
    },
    dispose() {
      text = undefined;
    },
  };
}
