import {
  abortError,
  CONTRACT_VERSION,
  chain,
  DiffuSpecError,
  type Drafter,
  type DrafterSession,
} from "@diffuspec/contracts";
import { createOnlineScorer, type NgramModel } from "@diffuspec/ngram-scorer";
import { createGreedyNext, type GreedyNext } from "./greedy-ngram.ts";

export interface NgramDrafterOptions {
  readonly model: NgramModel;
  /** Ids that end a text; the draft ends with the first one. */
  readonly endIds: readonly number[];
  /** Ends the draft before the token with which the chance of the whole draft falls below this, 0 <= cut < 1. */
  readonly cut?: number;
}

/**
 * An n-gram as a drafter of its own, topped up with the text at hand: always its most probable next id. What DiffuSpec has to
 * beat with the same n-gram.
 */
export function createNgramDrafter({ model, endIds, cut = 0 }: NgramDrafterOptions): Drafter {
  const next = createGreedyNext(model);
  return {
    contractVersion: CONTRACT_VERSION,
    name: "ngram",
    needs: {},
    open: () => openSession(model, next, endIds, cut),
  };
}

function openSession(model: NgramModel, next: GreedyNext, endIds: readonly number[], cut: number): DrafterSession {
  const scorer = createOnlineScorer(model, { longest: SPAN });
  const scores = new Float64Array(32);
  let context: number[] | undefined;
  /** Committed and not counted yet: the tables are cold behind a pass of the target, and rounds without a draft need them not. */
  let waiting: number[] = [];
  const running = () => {
    if (context) return context;
    throw new DiffuSpecError({
      code: "ERR_CONTRACT",
      what: "A session of the drafter ngram was used",
      why: "it has not begun, or it is disposed",
      next: "Call begin() first.",
    });
  };

  const ended = (path: readonly number[]) => endIds.includes(path[path.length - 1] ?? -1);

  /** The best of the model's own choice and of what followed these ids most often. */
  function choose(ids: Int32Array): { id: number; probability: number } {
    const state = scorer.begin(ids);
    const candidates = Int32Array.from(new Set([next(state), ...scorer.likely(state)]));
    scorer.score([state], candidates, scores);
    let best = 0;
    for (let c = 1; c < candidates.length; c++) if (scores[c]! > scores[best]!) best = c;
    return { id: candidates[best]!, probability: Math.exp(scores[best]!) };
  }

  return {
    begin({ ids }) {
      scorer.forget();
      scorer.learn(ids);
      waiting = [];
      context = Array.from(ids.subarray(-SPAN));
    },
    propose({ length, nodes, head, signal }) {
      if (signal.aborted) throw abortError(signal);
      const known = running();
      scorer.learn(waiting);
      waiting = [];
      const most = Math.min(length, nodes);
      const path = Array.from(head.subarray(0, most));
      let survival = 1;
      let expectedAccepted = path.length;
      while (path.length < most && !ended(path)) {
        const { id, probability } = choose(Int32Array.from([...known, ...path].slice(-SPAN)));
        survival *= probability;
        if (survival < cut && path.length > 0) break;
        expectedAccepted += survival;
        path.push(id);
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
      if (known.length > SPAN) known.splice(0, known.length - SPAN);
    },
    dispose() {
      context = undefined;
    },
  };
}

/** Ids of the longest context that the text at hand is counted for, more than any model's: long copies are surer than short ones. */
const SPAN = 8;
