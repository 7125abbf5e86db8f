import {
  abortError,
  CONTRACT_VERSION,
  chain,
  DiffuSpecError,
  type Drafter,
  type DrafterSession,
} from "@diffuspec/contracts";
import { MAX_ORDER, type NgramModel } from "@diffuspec/ngram-scorer";
import { createGreedyNext } from "./greedy-ngram.ts";

/**
 * An n-gram as a drafter of its own: always its most probable next id. What DiffuSpec has to beat with the same n-gram.
 *
 * @param endIds ids that end a text; the draft ends with the first one
 */
export function createNgramDrafter(options: {
  readonly model: NgramModel;
  readonly endIds: readonly number[];
}): Drafter {
  const next = createGreedyNext(options.model);
  return {
    contractVersion: CONTRACT_VERSION,
    name: "ngram",
    needs: {},
    open: () => openSession(next, options.endIds),
  };
}

function openSession(next: (context: readonly number[]) => number, endIds: readonly number[]): DrafterSession {
  let context: number[] | undefined;
  const running = () => {
    if (context) return context;
    throw new DiffuSpecError({
      code: "ERR_CONTRACT",
      what: "A session of the drafter ngram was used",
      why: "it has not begun, or it is disposed",
      next: "Call begin() first.",
    });
  };
  return {
    begin({ ids }) {
      context = Array.from(ids.subarray(-MAX_ORDER));
    },
    propose({ length, nodes, head, signal }) {
      if (signal.aborted) throw abortError(signal);
      const known = running();
      const most = Math.min(length, nodes);
      const path = Array.from(head.subarray(0, most));
      while (path.length < most && !endIds.includes(path[path.length - 1] ?? -1))
        path.push(next([...known, ...path].slice(-MAX_ORDER)));
      return { tree: chain(known[known.length - 1]!, path) };
    },
    observe({ committed }) {
      context = [...running(), ...committed].slice(-MAX_ORDER);
    },
    dispose() {
      context = undefined;
    },
  };
}
