import { argmax, type DraftRequest, type Outcome, type PathSearch, type Sampler } from "@diffuspec/contracts";
import { createArgmaxSearch } from "@diffuspec/cps";
import { LATTICE_DEFAULTS } from "@diffuspec/lattice";
import { createFakeModel, scramble } from "@diffuspec/testkit";
import type { Forward } from "../src/forward.ts";
import type { DlmManifest } from "../src/options.ts";
import { createSession, type SessionParts } from "../src/session.ts";

export const MANIFEST: DlmManifest = {
  vocabularySize: 40,
  width: 8,
  layers: 1,
  kvHeads: 1,
  headDim: 8,
  positions: 300,
  contextLength: 280,
  maskId: 1,
  eosIds: [0],
  top: 8,
  maxMasks: 16,
  graphs: { int8: "int8.onnx", fp32: "fp32.onnx" },
};

export const LATTICE = {
  tau: 0.8,
  maxCandidates: 8,
  eosIds: [0],
  struckIds: [1],
  targetVocabularySize: 40,
  keepEos: true,
  stopAt: "argmax",
  temperatures: [],
} as const;

/** What one call of the model was given. */
export interface Call {
  readonly kind: "extend" | "draft";
  readonly cached: number;
  readonly fresh: number[];
  readonly head: number[];
  readonly block: number[];
  readonly rows: number[];
}

export interface FakeForward extends Forward {
  readonly calls: Call[];
  /** Ids whose rows are in the cache. */
  readonly cache: readonly number[];
  /** Runs after every pass, before it answers. */
  onPass?: (call: Call) => void | Promise<void>;
}

/** A row depends on every id it may see and on its place, so a wrong cache or a wrong block shows in the table. */
export function createFakeForward({ vocabularySize, maskId, top } = MANIFEST): FakeForward {
  const model = createFakeModel({ vocabularySize, order: 1e6 });
  const cache: number[] = [];
  const calls: Call[] = [];
  const forward: FakeForward = {
    calls,
    cache,
    get length() {
      return cache.length;
    },
    async extend(ids) {
      await seen("extend", ids, [], [], []);
      cache.push(...ids);
    },
    async draft(fresh, head, block, rows) {
      await seen("draft", fresh, head, block, rows);
      const sight = [...cache, ...fresh, ...head, ...block];
      cache.push(...fresh);
      const ids: number[] = [];
      const logits: number[] = [];
      const logSumExp: number[] = [];
      for (const row of rows) {
        const all = model.logits(sight, scramble(sight.length - block.length + row));
        all[maskId] = -1e30;
        const best = [...all.keys()].sort((a, b) => all[b]! - all[a]! || a - b).slice(0, top);
        ids.push(...best);
        logits.push(...best.map((id) => all[id]!));
        logSumExp.push(Math.log(all.reduce((sum, x) => sum + Math.exp(x), 0)));
      }
      return {
        ids: Int32Array.from(ids),
        logits: Float32Array.from(logits),
        logSumExp: Float32Array.from(logSumExp),
      };
    },
    truncate: (length) => void cache.splice(length),
    dispose() {},
  };
  async function seen(kind: Call["kind"], ...parts: ArrayLike<number>[]): Promise<void> {
    const [fresh, head, block, rows] = parts.map((part) => Array.from(part));
    const call: Call = { kind, cached: cache.length, fresh: fresh!, head: head!, block: block!, rows: rows! };
    calls.push(call);
    await forward.onPass?.(call);
  }
  return forward;
}

export function openFake(options: Partial<SessionParts> = {}) {
  const forward = createFakeForward();
  const manifest = options.manifest ?? MANIFEST;
  const session = createSession({
    forward,
    manifest,
    lattice: { ...LATTICE_DEFAULTS, maxCandidates: manifest.top, eosIds: [0], struckIds: [1] },
    search: createArgmaxSearch(),
    steps: 1,
    minMasks: 8,
    maxLength: 16,
    promptWindow: Number.POSITIVE_INFINITY,
    coupling: 2,
    ...options,
  });
  return { session, forward };
}

export const greedy: Sampler = { argmaxOnly: true, temperature: 0, token: (row) => argmax(row), noise: () => 0 };

/** Gumbel noise from a hash of position and id. */
export const sampling = (temperature: number, seed = 1): Sampler => ({
  argmaxOnly: false,
  temperature,
  token: () => {
    throw new Error("a drafter never draws the target's token");
  },
  noise: (position, token) =>
    -Math.log(-Math.log((scramble(scramble(seed + position * 7919) + token * 104729) + 0.5) / 2 ** 32)),
});

export const request = (fields: Partial<DraftRequest> = {}): DraftRequest => ({
  length: 6,
  nodes: 32,
  head: new Int32Array(0),
  signal: new AbortController().signal,
  ...fields,
});

export const committed = (...ids: number[]) => ({ committed: Int32Array.from(ids) }) as unknown as Outcome;

export const text = (length: number, seed = 3) =>
  Int32Array.from({ length }, (_, i) => 2 + (scramble(i * 31 + seed) % (MANIFEST.vocabularySize - 2)));

/** The argmax search, keeping copies of what it was asked. */
export function spySearch() {
  const seen: {
    context: number[];
    nodes: number;
    length?: number;
    tokens: number[];
    logProbs: number[];
    offsets: number[];
  }[] = [];
  const argmaxSearch = createArgmaxSearch();
  const search: PathSearch = {
    name: "spy",
    search(asked) {
      const { lattice } = asked;
      const end = lattice.offsets[lattice.depth]!;
      seen.push({
        context: [...asked.context],
        nodes: asked.nodes,
        ...(asked.length !== undefined && { length: asked.length }),
        tokens: [...lattice.tokens.subarray(0, end)],
        logProbs: [...lattice.logProbs.subarray(0, end)],
        offsets: [...lattice.offsets.subarray(0, lattice.depth + 1)],
      });
      return argmaxSearch.search(asked);
    },
  };
  return { search, seen };
}
