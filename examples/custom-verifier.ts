/**
 * A target of your own: a table of which letter follows which, counted from a sentence. Its "cache" is the list of ids it
 * has committed. With this shape any model, local or remote, can be decoded losslessly.
 */
import {
  abortError,
  argmax,
  CONTRACT_VERSION,
  DiffuSpecError,
  type ErrorCode,
  type Rows,
  type TokenTree,
  type Verifier,
} from "@diffuspec/contracts";
import { complete } from "@diffuspec/spec-loop";
import { randomDrafter } from "@diffuspec/testkit";

const LETTERS = "abcdefghijklmnopqrstuvwxyz .";

export function createBigramVerifier(text: string): Verifier {
  const size = LETTERS.length;
  const counts = Array.from({ length: size }, () => new Float32Array(size));
  for (let i = 1; i < text.length; i++) counts[LETTERS.indexOf(text[i - 1]!)]![LETTERS.indexOf(text[i]!)]! += 1;

  const refuse = (code: ErrorCode, why: string) =>
    new DiffuSpecError({ code, what: "The bigram target cannot do this", why, next: "See its source." });
  const missing = () => {
    throw refuse("ERR_UNSUPPORTED", "it has neither top ids nor hidden rows");
  };
  function rowsOf(tree: TokenTree): Rows {
    const logits = (row: number) => counts[tree.tokens[row]!]!.map((count) => Math.log(count + 0.01));
    const count = tree.tokens.length;
    return { count, exact: count, logits, argmax: (row) => argmax(logits(row)), top: missing, tap: missing };
  }

  return {
    contractVersion: CONTRACT_VERSION,
    name: "bigram",
    vocabularySize: size,
    contextLength: 1024,
    eosIds: [LETTERS.indexOf(".")],
    maxNodes: 64,
    exactness: "exact",
    open() {
      let cache: number[] = [];
      let pending: TokenTree | undefined;
      return {
        get length() {
          return cache.length;
        },
        async prefill(ids, { signal } = {}) {
          if (signal?.aborted) throw abortError(signal);
          if (ids.length === 0 || ids.some((id) => id < 0 || id >= size))
            throw refuse("ERR_PROMPT", "no ids, or foreign ones");
          if (ids.length > 1024) throw refuse("ERR_CONTEXT_EXCEEDED", "1024 ids fit");
          let reused = 0;
          while (reused < Math.min(cache.length, ids.length - 1) && cache[reused] === ids[reused]) reused++;
          cache = Array.from(ids.subarray(0, -1));
          return { reused, computed: cache.length - reused };
        },
        async verify(tree) {
          pending = tree;
          return rowsOf(tree);
        },
        commit(path) {
          for (const node of path) cache.push(pending!.tokens[node]!);
        },
        dispose() {},
      };
    },
  };
}

export async function main() {
  const verifier = createBigramVerifier("the cat sat on the mat and the rat sat on the hat.");
  const prompt = [..."the rat sat"].map((letter) => LETTERS.indexOf(letter));
  const options = { maxTokens: 40, sampler: { temperature: 0.6, seed: 3 } };
  const plain = await complete({ verifier }, prompt, options);
  const drafted = await complete({ verifier, drafter: randomDrafter(LETTERS.length) }, prompt, options);
  const textOf = (ids: Int32Array) => Array.from(ids, (id) => LETTERS[id]).join("");
  return { text: textOf(drafted.tokens), identical: textOf(plain.tokens) === textOf(drafted.tokens) };
}

if (process.argv[1]?.endsWith("custom-verifier.ts")) console.log(await main());
