import {
  abortError,
  CONTRACT_VERSION,
  chain,
  DiffuSpecError,
  type Drafter,
  type DrafterSession,
} from "@diffuspec/contracts";
import { checkInteger, checkKeys, notRunning } from "../checks.ts";
import { NgramIndex } from "./ngram-index.ts";

export interface PromptLookupOptions {
  /** Longest suffix that is looked up, in tokens, 1..16. Longer suffixes are tried first. */
  readonly maxNgram?: number;
  /** Shortest suffix, in tokens, 1..maxNgram. */
  readonly minNgram?: number;
  /** Most tokens taken from behind a match, 1..1023. */
  readonly length?: number;
  /** Which earlier occurrence wins. */
  readonly match?: "earliest" | "latest";
  /** True: a continuation that runs into the end of the text is drafted as far as it goes. False: only full ones count. */
  readonly clip?: boolean;
}

/** What was said last is said again sooner than what was said first, and a short draft beats none. */
export const PROMPT_LOOKUP_DEFAULTS = {
  maxNgram: 3,
  minNgram: 1,
  length: 10,
  match: "latest",
  clip: true,
} as const satisfies Required<PromptLookupOptions>;

/** As Spec-Bench runs it: the earliest occurrence whose next ten tokens all exist. */
export const PLD_SPEC_BENCH = {
  maxNgram: 3,
  minNgram: 1,
  length: 10,
  match: "earliest",
  clip: false,
} as const satisfies Required<PromptLookupOptions>;

/**
 * Drafts what followed an earlier occurrence of the last few tokens. A chain; where nothing matches, the root alone.
 * Needs nothing of the target and keeps nothing between generations but an index of the text itself.
 *
 * @throws ERR_OPTION
 * @example
 * // ids 1 2 3 4 1 2 3: the suffix 1 2 3 was followed by 4 1 2 3
 * createPromptLookup({ length: 4 });
 */
export function createPromptLookup(options: PromptLookupOptions = {}): Drafter {
  const config = validate(options);
  return {
    contractVersion: CONTRACT_VERSION,
    name: "prompt-lookup",
    needs: {},
    open: () => openSession(config),
  };
}

function openSession(config: Required<PromptLookupOptions>): DrafterSession {
  let index: NgramIndex | undefined;
  let disposed = false;
  const running = () => {
    if (!index || disposed) throw notRunning("prompt-lookup", disposed);
    return index;
  };

  return {
    begin({ ids }) {
      if (disposed) throw notRunning("prompt-lookup", true);
      if (!index?.isPrefixOf(ids)) index = new NgramIndex(config.maxNgram);
      for (let i = index.length; i < ids.length; i++) index.push(ids[i]!);
    },

    propose({ length, nodes, head, signal }) {
      if (signal.aborted) throw abortError(signal);
      const text = running();
      const most = Math.min(length, nodes);
      const path = Array.from(head.subarray(0, most));
      const wanted = Math.min(config.length, most - path.length);
      if (wanted > 0) path.push(...lookUp(text, head, wanted, config));
      return { tree: chain(text.at(text.length - 1), path) };
    },

    observe({ committed }) {
      const text = running();
      for (const id of committed) text.push(id);
    },

    dispose() {
      disposed = true;
      index = undefined;
    },
  };
}

/** The tokens behind the best match, in the committed text, of the longest suffix of text + head that has one. */
function lookUp(
  text: NgramIndex,
  head: Int32Array,
  wanted: number,
  { maxNgram, minNgram, match, clip, length }: Required<PromptLookupOptions>,
): number[] {
  const total = text.length + head.length;
  const at = (position: number) => (position < text.length ? text.at(position) : head[position - text.length]!);
  const full = clip ? wanted : length;
  const grams = text.suffixGrams(head);
  for (let n = Math.min(maxNgram, grams.length); n >= minNgram; n--) {
    const gram = grams[n - 1]!;
    const from = match === "earliest" ? text.earliest(gram, total) : text.latest(gram, n, total, full);
    if (from === -1 || (!clip && from + full > total)) continue;
    return Array.from({ length: Math.min(wanted, total - from) }, (_, i) => at(from + i));
  }
  return [];
}

function validate(options: PromptLookupOptions): Required<PromptLookupOptions> {
  checkKeys(options, Object.keys(PROMPT_LOOKUP_DEFAULTS));
  const config = { ...PROMPT_LOOKUP_DEFAULTS, ...options };
  checkInteger("maxNgram", config.maxNgram, 1, 16);
  checkInteger("minNgram", config.minNgram, 1, config.maxNgram);
  checkInteger("length", config.length, 1, 1023);
  if ((config.match !== "earliest" && config.match !== "latest") || typeof config.clip !== "boolean")
    throw new DiffuSpecError({
      code: "ERR_OPTION",
      what: `match is ${String(config.match)} and clip is ${String(config.clip)}`,
      why: 'match is "earliest" or "latest", clip is true or false',
      next: "Pass one of these, or leave the options out.",
    });
  return config;
}
