import {
  abortError,
  DiffuSpecError,
  depths,
  type Prefill,
  type PrefillOptions,
  type Rows,
  type TokenTree,
  trunkLength,
  type VerifierSession,
  type VerifyNeeds,
  validateTree,
} from "@diffuspec/contracts";
import { createCache, type Decoder, type DecoderPass, exactRows, rowRange, treeBias } from "@diffuspec/onnx-decoder";
import { createRows, fetchFor } from "./rows.ts";

export interface SessionOptions {
  readonly chain: Decoder;
  /** Loads the tree graph when the first tree comes. */
  readonly tree: () => Promise<Decoder>;
  readonly exact: boolean;
  readonly contextLength: number;
  readonly maxNodes: number;
  readonly prefillChunk: number;
}

/** What the last verify() left to commit from. */
interface Pending {
  readonly tree: TokenTree;
  readonly pass: DecoderPass;
  /** Nodes whose rows may be committed. */
  readonly exact: number;
  /** Rows of the pass that lie before the root's and are cached. */
  readonly before: number;
}

/** One KV cache of the target, with the ids behind its rows. */
export function createSession(options: SessionOptions): VerifierSession {
  const { chain, exact, contextLength, maxNodes, prefillChunk } = options;
  const { shape } = chain;
  const cache = createCache(shape);
  const cached = new Int32Array(shape.positions); // the id behind every cache row
  let pending: Pending | undefined;
  let busy = false;
  let disposed = false;

  const assertOpen = () => {
    if (disposed) throw closed();
    if (busy) throw misuse("A session was called twice at once", "it has one cache, and the first call has not ended");
  };
  const exclusive = async <T>(work: () => Promise<T>): Promise<T> => {
    assertOpen();
    busy = true;
    try {
      return await work();
    } finally {
      busy = false;
    }
  };

  async function prefill(ids: Int32Array, { signal, onProgress, needs }: PrefillOptions): Promise<Prefill> {
    checkPrompt(ids, shape.vocabularySize, contextLength);
    if (signal?.aborted) throw abortError(signal);
    pending = undefined;
    const total = ids.length - 1;
    let reused = 0;
    while (reused < Math.min(total, cache.length) && cached[reused] === ids[reused]) reused++;
    cache.truncate(reused);
    const end = needs ? ids.length : total;
    let root: Rows | undefined;
    for (let start = reused; start < end; start += prefillChunk) {
      const count = Math.min(prefillChunk, end - start);
      const kept = Math.min(count, total - start);
      const fed = exact ? exactRows(count) : count;
      const shows = needs && kept < count ? needs : undefined;
      const fetched = shows ? fetchFor(shows, chain.outputs, shape.vocabularySize) : ["new_kv"];
      const looked = shows ? Math.max(0, fed - 2) : 0; // not at a single row, as in verify()
      const pass = await chain.run(cache, {
        ids: padded(ids.subarray(start, start + fed), fed, ids[total]!),
        rows: shows ? rowRange(looked, fed) : rowRange(0, 1),
        fetch: fetched,
      });
      if (disposed) throw closed();
      cache.append(pass, rowRange(0, kept));
      cached.set(ids.subarray(start, start + kept), start);
      if (kept > 0) onProgress?.(cache.length - reused, total - reused);
      if (signal?.aborted) throw abortError(signal);
      if (!shows) continue;
      pending = { tree: { tokens: ids.slice(total), parents: Int32Array.of(-1) }, pass, exact: 1, before: kept };
      const first = { row: kept, looked: kept - looked };
      root = createRows({ pass, count: 1, exact: 1, needs: shows, fetched, shape, first });
    }
    return { reused, computed: total - reused, ...(root && { root }) };
  }

  async function verify(tree: TokenTree, needs: VerifyNeeds): Promise<Rows> {
    validateTree(
      tree,
      { root: tree.tokens?.[0] ?? -1, vocabularySize: shape.vocabularySize, maxNodes },
      "the caller of verify()",
    );
    pending = undefined;
    const count = tree.tokens.length;
    const trunk = trunkLength(tree);
    const depth = depths(tree);
    const past = cache.length;
    const deepest = past + depth.reduce((a, b) => Math.max(a, b)) + 1;
    if (deepest > contextLength) throw tooLong("The tree", deepest, contextLength);

    const isChain = trunk === count;
    const decoder = isChain ? chain : await options.tree();
    const fetch = fetchFor(needs, decoder.outputs, shape.vocabularySize);
    const fed = exact ? exactRows(count) : count;
    const ids = padded(tree.tokens, fed, tree.tokens[0]!);
    const pass = await decoder.run(cache, {
      ids,
      rows: rowRange(0, fed), // the padding too: the LM head must not meet a single row either
      fetch,
      ...(!isChain && {
        bias: treeBias(padded(tree.parents, fed, -1), past),
        positions: padded(depth, fed, 0).map((d) => past + d),
      }),
    });
    if (disposed) throw closed();
    const provable = exact ? trunk : count;
    pending = { tree: { tokens: ids, parents: tree.parents.slice() }, pass, exact: provable, before: 0 };
    return createRows({ pass, count, exact: provable, needs, fetched: fetch, shape });
  }

  return {
    get length() {
      return cache.length;
    },
    prefill: (ids, prefillOptions = {}) => exclusive(() => prefill(ids, prefillOptions)),
    verify: (tree, needs) => exclusive(() => verify(tree, needs)),
    commit(path) {
      assertOpen();
      if (pending === undefined) throw misuse("commit() was called", "there is no verified tree to commit from");
      const { tree, pass, exact: allowed, before } = pending;
      checkPath(path, tree.parents, allowed);
      const start = cache.length;
      cache.append(pass, before > 0 ? path.map((row) => before + row) : path, before);
      for (let i = 0; i < path.length; i++) cached[start + i] = tree.tokens[path[i]!]!;
      pending = undefined;
    },
    dispose() {
      disposed = true;
      pending = undefined;
      cache.dispose();
    },
  };
}

/** A copy of `count` values, the missing ones filled in. */
function padded(values: Int32Array, count: number, filler: number): Int32Array {
  const out = new Int32Array(count).fill(filler);
  out.set(values);
  return out;
}

function checkPrompt(ids: Int32Array, vocabularySize: number, contextLength: number): void {
  const refuse = (why: string, details: Record<string, unknown> = {}) =>
    new DiffuSpecError({
      code: "ERR_PROMPT",
      what: "The prompt was refused",
      why,
      next: "Encode it with the target's own tokenizer; an empty prompt begins with the model's bosId.",
      details,
    });
  if (!(ids instanceof Int32Array) || ids.length === 0) throw refuse("it has no ids");
  if (ids.length > contextLength) throw tooLong("The prompt", ids.length, contextLength);
  for (let i = 0; i < ids.length; i++)
    if (ids[i]! < 0 || ids[i]! >= vocabularySize)
      throw refuse(`its id ${ids[i]} at ${i} is outside 0..${vocabularySize - 1}`, { id: ids[i], at: i });
}

function checkPath(path: Int32Array, parents: Int32Array, allowed: number): void {
  if (path.length === 0 || path[0] !== 0)
    throw misuse("A path was not committed", "it does not begin with the root, node 0");
  for (let i = 1; i < path.length; i++)
    if (!(path[i]! < parents.length) || parents[path[i]!] !== path[i - 1])
      throw misuse("A path was not committed", `node ${path[i]} is not a child of node ${path[i - 1]}`);
  const last = path[path.length - 1]!;
  if (last >= allowed)
    throw misuse(
      "A path was not committed",
      `node ${last} is beyond the exact rows 0..${allowed - 1}, and its cache rows are only nearly right`,
    );
}

const tooLong = (what: string, ids: number, contextLength: number) =>
  new DiffuSpecError({
    code: "ERR_CONTEXT_EXCEEDED",
    what: `${what} needs ${ids} ids of context`,
    why: `the model has ${contextLength}`,
    next: "Shorten the prompt or ask for fewer tokens.",
    details: { ids, contextLength },
  });

const closed = () =>
  new DiffuSpecError({
    code: "ERR_CLOSED",
    what: "A session was used",
    why: "it has been disposed",
    next: "Open another one on the verifier.",
  });

const misuse = (what: string, why: string) =>
  new DiffuSpecError({ code: "ERR_CONTRACT", what, why, next: "See VerifierSession in @diffuspec/contracts." });
