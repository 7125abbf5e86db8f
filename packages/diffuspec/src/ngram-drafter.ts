import {
  abortError,
  argmax,
  type CausalScorer,
  CONTRACT_VERSION,
  chain,
  DiffuSpecError,
  type Drafter,
  type DrafterSession,
} from "@diffuspec/contracts";

/** Context handed to the scorer, in ids; far more than any n-gram looks at. */
const WINDOW = 16;

/**
 * A left-to-right scorer as a drafter of its own: always its most probable next token. What DiffuSpec has to beat with
 * the same n-gram. Asks for the whole vocabulary at every step, so it is for n-grams, not for networks.
 *
 * @param endIds ids that end a text; the draft ends with the first one
 */
export function createNgramDrafter<State>(options: {
  readonly scorer: CausalScorer<State>;
  readonly vocabularySize: number;
  readonly endIds: readonly number[];
}): Drafter {
  const { scorer, vocabularySize, endIds } = options;
  const all = Int32Array.from({ length: vocabularySize }, (_, id) => id);
  const scores = new Float64Array(vocabularySize);
  return {
    contractVersion: CONTRACT_VERSION,
    name: "ngram",
    needs: {},
    open(): DrafterSession {
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
      const push = (ids: Int32Array) => {
        context = [...running(), ...ids].slice(-WINDOW);
      };
      return {
        begin({ ids }) {
          context = Array.from(ids.subarray(-WINDOW));
        },
        async propose({ length, nodes, head, signal }) {
          const known = running();
          const most = Math.min(length, nodes);
          const path = Array.from(head.subarray(0, most));
          let state = (await scorer.begin(Int32Array.from([...known, ...path]))) as State;
          while (path.length < most && !endIds.includes(path[path.length - 1] ?? -1)) {
            if (signal.aborted) throw abortError(signal);
            await scorer.score([state], all, scores);
            const next = argmax(scores);
            path.push(next);
            state = scorer.advance(state, next);
          }
          return { tree: chain(known[known.length - 1]!, path) };
        },
        observe({ committed }) {
          push(committed);
        },
        dispose() {
          context = undefined;
        },
      };
    },
  };
}
