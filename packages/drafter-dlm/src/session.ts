import {
  abortError,
  chain,
  type Draft,
  type DrafterSession,
  type DraftRequest,
  type PathSearch,
  type Sampler,
  type TokenTree,
} from "@diffuspec/contracts";
import type { LatticeBuilder } from "@diffuspec/lattice";
import { couple } from "./couple.ts";
import type { Forward } from "./forward.ts";
import type { DlmManifest } from "./options.ts";
import { refine } from "./refine.ts";

/** Rows of one pass over a prompt. */
const CHUNK = 64;

export interface SessionParts {
  readonly forward: Forward;
  readonly manifest: DlmManifest;
  readonly builder: LatticeBuilder;
  readonly search: PathSearch;
  readonly steps: number;
  readonly minMasks: number;
  readonly coupling: number;
}

/** The cache holds a prefix of `known`; what is missing is fed with the next draft, or in chunks before it. */
export function createSession(parts: SessionParts): DrafterSession {
  const { forward, manifest, builder, search, steps, minMasks, coupling } = parts;
  let known = new Int32Array(0);
  let length = 0;
  let sampler: Sampler | undefined;

  async function catchUp(signal: AbortSignal): Promise<void> {
    while (length - forward.length > CHUNK) {
      if (signal.aborted) throw abortError(signal);
      await forward.extend(known.slice(forward.length, forward.length + CHUNK));
    }
    if (signal.aborted) throw abortError(signal);
  }

  return {
    begin(start) {
      let common = 0;
      const most = Math.min(forward.length, start.ids.length);
      while (common < most && known[common] === start.ids[common]) common++;
      forward.truncate(common);
      known = Int32Array.from(start.ids);
      length = known.length;
      sampler = start.sampler;
    },

    async propose({ length: asked, nodes, head, signal }: DraftRequest): Promise<Draft> {
      const root = known[length - 1]!;
      const room = Math.min(manifest.contextLength, manifest.positions) - length - head.length;
      const depth = Math.min(asked - head.length, nodes - head.length, manifest.maxMasks, room);
      if (depth < 1) return { tree: chain(root, head.subarray(0, Math.min(asked, nodes))) };
      await catchUp(signal);
      const masks = Math.min(Math.max(depth, minMasks), manifest.maxMasks, room);
      const fresh = known.slice(forward.length, length);
      const { maskId, top } = manifest;
      const table = await refine(forward, { fresh, head, masks, maskId, steps, top });

      const since = performance.now();
      const drawn =
        sampler && sampler.temperature > 0 && coupling > 0
          ? couple(table, top, sampler, length + head.length, coupling)
          : table;
      const lattice = builder.fromTopM(drawn, depth, top);
      const context = new Int32Array(length + head.length);
      context.set(known.subarray(0, length));
      context.set(head, length);
      const found = await search.search({ lattice, context, nodes: nodes - head.length });
      return {
        tree: under(root, head, found.tree),
        generatedLength: head.length + lattice.generatedLength,
        searchMs: performance.now() - since,
      };
    },

    observe({ committed }) {
      if (length + committed.length > known.length) {
        const larger = new Int32Array(2 * (length + committed.length));
        larger.set(known);
        known = larger;
      }
      known.set(committed, length);
      length += committed.length;
    },

    dispose: () => forward.dispose(),
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
