import {
  abortError,
  chain,
  DiffuSpecError,
  type Draft,
  type DrafterSession,
  type DraftRequest,
  type PathSearch,
  type Sampler,
  type TokenTree,
} from "@diffuspec/contracts";
import { createLatticeBuilder, type LatticeOptions, type TopM } from "@diffuspec/lattice";
import { couple } from "./couple.ts";
import type { Forward } from "./forward.ts";
import type { DlmManifest } from "./options.ts";
import { refine } from "./refine.ts";
import type { TapStore } from "./taps.ts";

/** Most rows of one pass over a prompt, and most committed ids that ride along with a draft. */
export const CHUNK = 64;

export interface SessionParts {
  readonly forward: Forward;
  /** Absent: the drafter reads nothing of the target. */
  readonly taps?: TapStore;
  readonly manifest: Pick<DlmManifest, "contextLength" | "maskId" | "maxMasks" | "top">;
  readonly lattice: Required<LatticeOptions>;
  readonly search: PathSearch;
  readonly steps: number;
  readonly minMasks: number;
  readonly maxLength: number;
  readonly promptWindow: number;
  readonly coupling: number;
}

/**
 * The cache holds committed ids from `skipped` on, which is 0 unless a prompt is longer than its window. begin() keeps what it shares with the new text; the first draft fills up the
 * rest in chunks, so that the target's first token does not wait for it and a text that is never drafted for is never
 * read. What is committed later is fed with the next draft.
 *
 * A request's head is fed as if it were committed, only not cached: if the loop commits it, the draft behind it was the
 * draft that a fresh look would give.
 */
export function createSession(parts: SessionParts): DrafterSession {
  const { forward, taps, manifest, search, steps, minMasks, maxLength, promptWindow, coupling } = parts;
  const builder = createLatticeBuilder(parts.lattice);
  /** For coupled tables, which are already cut by tau and hold the noise as well: nobody fitted temperatures to those. */
  const coupledBuilder = createLatticeBuilder({ ...parts.lattice, tau: 1, keepEos: false, temperatures: [] });
  let known = new Int32Array(0);
  let length = 0;
  let skipped = 0;
  let sampler: Sampler | undefined;
  let busy = false;
  let disposed = false;

  async function alone<T>(work: () => Promise<T>): Promise<T> {
    if (disposed) throw closed();
    if (busy) throw misuse("a call began before the last one ended");
    busy = true;
    try {
      return await work();
    } finally {
      busy = false;
    }
  }

  function check(signal?: AbortSignal): void {
    if (signal?.aborted) throw abortError(signal);
    if (disposed) throw closed();
  }

  /** Ids before the first one that the model has not read. */
  const read = () => skipped + forward.length;

  function reserve(ids: number): void {
    if (ids <= known.length) return;
    const larger = new Int32Array(2 * ids);
    larger.set(known);
    known = larger;
  }

  /** Feeds committed ids until no more than `leave` wait, in even pieces: a pass of one row would take other kernels. */
  async function catchUp(leave: number, signal?: AbortSignal): Promise<void> {
    for (;;) {
      check(signal);
      const waiting = length - read();
      if (waiting <= leave) return;
      const size = Math.ceil(waiting / Math.ceil(waiting / CHUNK));
      const first = read();
      await forward.extend(known.slice(first, first + size), taps?.take(first, size));
    }
  }

  /** What rewrites the rows of the table before they are ranked; nothing where the sampler is greedy. */
  function follow({ temperature, noise }: Sampler, first: number) {
    if (!(temperature > 0 && coupling > 0)) return undefined;
    const common = { top: manifest.top, tau: parts.lattice.tau, temperature, gain: coupling };
    return (table: TopM, row: number) => couple(table, row, { ...common, noise: (token) => noise(first + row, token) });
  }

  async function propose({ length: asked, nodes, head: offered, signal }: DraftRequest): Promise<Draft> {
    check(signal);
    if (sampler === undefined) throw misuse("propose() came before begin()");
    const root = known[length - 1]!;
    const head = offered.slice(0, Math.min(asked, nodes));
    const first = length + head.length;
    const depth = Math.min(
      Math.min(asked, nodes) - head.length,
      maxLength,
      manifest.maxMasks,
      manifest.contextLength + skipped - first,
    );
    if (depth < 1) return { tree: chain(root, head) };

    await catchUp(CHUNK, signal);
    const { maskId, top } = manifest;
    const adjust = follow(sampler, first);
    const cached = read();
    const table = await refine(forward, {
      fresh: known.slice(cached, length),
      ...(taps && { taps: taps.take(cached, length - cached) }),
      head,
      masks: Math.min(Math.max(depth, minMasks), manifest.contextLength + skipped - first),
      maskId,
      steps,
      top,
      check: () => check(signal),
      ...(adjust && { adjust }),
    });
    check(signal);

    const since = performance.now();
    const lattice = (adjust ? coupledBuilder : builder).fromTopM(table, depth, top);
    reserve(first);
    known.set(head, length);
    const asking = search.search({
      lattice,
      context: known.subarray(0, first),
      nodes: nodes - head.length,
      length: Math.min(asked, nodes) - head.length,
    });
    const found = "then" in asking ? await asking : asking;
    return {
      tree: under(root, head, found.tree),
      generatedLength: head.length + (found.generatedLength ?? lattice.generatedLength),
      searchMs: performance.now() - since,
    };
  }

  return {
    begin: (start) =>
      alone(async () => {
        if (start.ids.length === 0) throw misuse("begin() was given no ids, and the last one is the root");
        let common = 0;
        const most = Math.min(read(), start.ids.length);
        while (common < most && known[common] === start.ids[common]) common++;
        if (common <= skipped || start.ids.length - common > promptWindow) {
          skipped = Math.max(0, start.ids.length - promptWindow);
          common = skipped;
        }
        forward.truncate(common - skipped);
        taps?.clear();
        known = Int32Array.from(start.ids);
        length = known.length;
        sampler = start.sampler;
      }),
    propose: (request) => alone(() => propose(request)),
    observe(outcome) {
      const { committed } = outcome;
      if (disposed) throw closed();
      if (busy || sampler === undefined) throw misuse("observe() came before begin(), or during another call");
      reserve(length + committed.length);
      if (!outcome.idle) taps?.observe(length, outcome);
      known.set(committed, length);
      length += committed.length;
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      forward.dispose();
    },
  };
}

/** The tree found behind the head, hung under root and head. */
function under(root: number, head: Int32Array, found: TokenTree): TokenTree {
  if (head.length === 0) return found;
  const shift = head.length;
  const tokens = new Int32Array(shift + found.tokens.length);
  const parents = new Int32Array(tokens.length);
  tokens[0] = root;
  tokens.set(head, 1);
  for (let i = 0; i <= shift; i++) parents[i] = i - 1;
  for (let i = 1; i < found.tokens.length; i++) {
    tokens[shift + i] = found.tokens[i]!;
    parents[shift + i] = shift + found.parents[i]!;
  }
  return { tokens, parents };
}

const misuse = (why: string) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: "A session of the DLM drafter was misused",
    why,
    next: "Call begin(), then propose() and observe() in turn, one at a time.",
  });

const closed = () =>
  new DiffuSpecError({
    code: "ERR_CLOSED",
    what: "A session of the DLM drafter was used after dispose()",
    why: "a disposed session holds nothing any more",
    next: "Open a new session.",
  });
