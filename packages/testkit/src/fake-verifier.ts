import {
  abortError,
  argmax,
  CONTRACT_VERSION,
  DiffuSpecError,
  type Rows,
  type TokenTree,
  trunkLength,
  type Verifier,
  type VerifierSession,
  type VerifyNeeds,
  type Vocabulary,
  validateTree,
} from "@diffuspec/contracts";
import { broken, check } from "./errors.ts";
import { createFakeModel, type FakeModel, type FakeModelOptions } from "./fake-model.ts";

export interface FakeVerifierOptions extends FakeModelOptions {
  readonly eosIds: readonly number[];
  readonly contextLength: number;
  readonly maxNodes: number;
  readonly vocabulary: Vocabulary | undefined;
  /** Rows past the trunk are tentative, and this far off (nats). 0: every row is exact. */
  readonly exactTrunkOnly: number;
  /** Ids prefilled between two looks at the signal. */
  readonly chunk: number;
  /** Width of the hidden rows it makes up. */
  readonly tapWidth: number;
  /** Whether a prefill that is told what verify() will need gives the root's row, which spares a pass. */
  readonly prefillsRoot: boolean;
}

export const FAKE_VERIFIER_DEFAULTS = {
  eosIds: [] as readonly number[],
  contextLength: 512,
  maxNodes: 64,
  vocabulary: undefined,
  exactTrunkOnly: 0,
  chunk: 16,
  tapWidth: 8,
  prefillsRoot: false,
} as const satisfies Partial<FakeVerifierOptions>;

export interface FakeVerifier extends Verifier {
  /** The model behind it, for drafters that should know. */
  readonly model: FakeModel;
  /** Passes run by all sessions. */
  readonly passes: number;
  /** Sessions opened and not yet disposed. */
  readonly openSessions: number;
}

/**
 * A verifier over a fake model. It computes from the ids in its own cache, never from what a caller believes is there, so
 * a wrong commit shows as wrong tokens; and it throws ERR_CONTRACT on every misuse it can see.
 */
export function createFakeVerifier(options: Partial<FakeVerifierOptions> = {}): FakeVerifier {
  const model = createFakeModel(pickModel(options));
  const all = { ...FAKE_VERIFIER_DEFAULTS, ...options };
  const counts = { passes: 0, open: 0 };
  return {
    contractVersion: CONTRACT_VERSION,
    name: "fake",
    vocabularySize: model.vocabularySize,
    ...(all.vocabulary && { vocabulary: all.vocabulary }),
    contextLength: all.contextLength,
    eosIds: all.eosIds,
    maxNodes: all.maxNodes,
    exactness: "exact",
    model,
    get passes() {
      return counts.passes;
    },
    get openSessions() {
      return counts.open;
    },
    open: () => openFake(model, { ...all, vocabularySize: model.vocabularySize }, counts),
  };
}

function openFake(
  model: FakeModel,
  options: Pick<
    FakeVerifierOptions,
    "contextLength" | "maxNodes" | "exactTrunkOnly" | "chunk" | "tapWidth" | "prefillsRoot"
  > & { vocabularySize: number },
  counts: { passes: number; open: number },
): VerifierSession {
  const cache: number[] = [];
  let root: number | undefined;
  let pending: TokenTree | undefined;
  let generation = 0;
  let busy = false;
  let closed = false;
  counts.open++;

  async function alone<T>(work: () => T | Promise<T>): Promise<T> {
    if (closed) throw new DiffuSpecError({ code: "ERR_CLOSED", what: "closed", why: "dispose() ran", next: "Reopen." });
    check(!busy, "a call of a verifier session began before the last one ended");
    busy = true;
    try {
      await Promise.resolve();
      return await work();
    } finally {
      busy = false;
    }
  }

  function rowsOf(tree: TokenTree, needs: VerifyNeeds): Rows {
    const mine = generation;
    const valid = () => check(mine === generation, "rows were read after the next call of their session");
    return fakeRows(model, cache.slice(), tree, needs, options, valid);
  }

  return {
    get length() {
      return cache.length;
    },
    prefill: (ids, { signal, onProgress, needs } = {}) =>
      alone(async () => {
        checkPrompt(ids, options);
        generation++;
        pending = undefined;
        root = undefined;
        const total = ids.length - 1;
        let reused = 0;
        while (reused < Math.min(cache.length, total) && cache[reused] === ids[reused]) reused++;
        cache.length = reused;
        while (cache.length < total) {
          if (signal?.aborted) throw abortError(signal);
          cache.push(...ids.subarray(cache.length, Math.min(cache.length + options.chunk, total)));
          onProgress?.(cache.length, total);
          await Promise.resolve();
        }
        if (signal?.aborted) throw abortError(signal);
        root = ids[total];
        const done = { reused, computed: total - reused };
        if (!needs || !options.prefillsRoot) return done;
        pending = { tokens: ids.slice(total), parents: Int32Array.of(-1) };
        return { ...done, root: rowsOf(pending, needs) };
      }),
    verify: (tree, needs) =>
      alone(() => {
        check(generation > 0, "verify() came before prefill()");
        validateTree(tree, {
          root: root ?? tree.tokens[0]!,
          vocabularySize: options.vocabularySize,
          maxNodes: options.maxNodes,
        });
        if (cache.length + tree.tokens.length > options.contextLength)
          throw contextError(cache.length + tree.tokens.length, options.contextLength);
        counts.passes++;
        generation++;
        pending = { tokens: tree.tokens.slice(), parents: tree.parents.slice() };
        return rowsOf(pending, needs);
      }),
    commit: (path) =>
      alone(() => {
        if (!pending) throw broken("commit() came without a verify() before it");
        check(path.length > 0 && path[0] === 0, "a committed path begins with the root");
        for (let i = 1; i < path.length; i++)
          check(pending.parents[path[i]!] === path[i - 1], `node ${path[i]} is no child of node ${path[i - 1]}`);
        for (const node of path) cache.push(pending.tokens[node]!);
        pending = undefined;
        root = undefined;
        generation++;
      }),
    dispose() {
      if (closed) return;
      check(!busy, "dispose() came during another call");
      closed = true;
      counts.open--;
    },
  };
}

function fakeRows(
  model: FakeModel,
  cache: readonly number[],
  tree: TokenTree,
  needs: VerifyNeeds,
  options: Pick<FakeVerifierOptions, "exactTrunkOnly" | "tapWidth">,
  valid: () => void,
): Rows {
  const count = tree.tokens.length;
  const exact = options.exactTrunkOnly > 0 ? trunkLength(tree) : count;
  const rows = new Map<number, Float32Array>();
  const history = (row: number) => {
    const path: number[] = [];
    for (let node = row; node !== -1; node = tree.parents[node]!) path.unshift(tree.tokens[node]!);
    return [...cache, ...path];
  };
  const compute = (row: number): Float32Array => {
    valid();
    check(Number.isInteger(row) && row >= 0 && row < count, `row ${row} is outside 0..${count - 1}`);
    const known = rows.get(row);
    if (known) return known;
    const logits = model.logits(history(row));
    if (row >= exact)
      model.logits(history(row), row + 1).forEach((x, id) => {
        logits[id]! += (x / model.peaked) * options.exactTrunkOnly;
      });
    rows.set(row, logits);
    return logits;
  };
  return {
    count,
    exact,
    argmax: (row) => argmax(compute(row)),
    logits(row) {
      check(needs.logits, "logits were read and not asked for");
      return compute(row);
    },
    top(row) {
      const k = needs.topK;
      check(k !== undefined, "the best ids were read and not asked for");
      const logits = compute(row);
      return Int32Array.from([...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b).slice(0, k));
    },
    tap(row, tap) {
      check(needs.taps?.includes(tap) ?? false, `tap ${tap} was read and not asked for`);
      compute(row);
      const salt = tap === "output" ? 77 : 100 + tap;
      return model.logits(history(row), salt).slice(0, options.tapWidth);
    },
  };
}

function checkPrompt(ids: Int32Array, options: { vocabularySize: number; contextLength: number }): void {
  const foreign = ids.findIndex((id) => id < 0 || id >= options.vocabularySize);
  if (ids.length === 0 || foreign !== -1)
    throw new DiffuSpecError({
      code: "ERR_PROMPT",
      what: "The prompt cannot be used",
      why: ids.length === 0 ? "it has no ids" : `its id ${foreign} is ${ids[foreign]}`,
      next: "Encode it with the right tokenizer.",
    });
  if (ids.length > options.contextLength) throw contextError(ids.length, options.contextLength);
}

function contextError(needed: number, held: number): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CONTEXT_EXCEEDED",
    what: `${needed} ids are needed`,
    why: `the context holds ${held}`,
    next: "Ask for less.",
  });
}

function pickModel(options: Partial<FakeVerifierOptions>): Partial<FakeModelOptions> {
  const keys = ["vocabularySize", "seed", "order", "peaked", "ties"] as const;
  return Object.fromEntries(keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]));
}
