import {
  abortError,
  CONTRACT_VERSION,
  DiffuSpecError,
  type Drafter,
  type DrafterSession,
  type DraftRequest,
  type Outcome,
  type TokenTree,
  trunkFirst,
} from "@diffuspec/contracts";
import { checkInteger, checkKeys, notRunning } from "../checks.ts";
import { parseTemplate, RECYCLING_TREE_4, type Template } from "./template.ts";

export interface RecyclingOptions {
  /** Ids of the target; the matrix takes vocabularySize * topK * 4 bytes. */
  readonly vocabularySize: number;
  /** Successors kept of every id, 1..10. */
  readonly topK?: number;
  /** The static tree, see parseTemplate; no node may have more than topK children. */
  readonly template?: string;
}

export const RECYCLING_DEFAULTS = { topK: 8, template: RECYCLING_TREE_4 } as const;

/** A drafter whose memory outlives its sessions and is shared by all of them. */
export interface RecyclingDrafter extends Drafter {
  readonly vocabularySize: number;
  /** Forgets everything learnt. */
  reset(): void;
}

/** A row of the matrix that was never written, and what fills up a row with fewer ids than topK. */
const NEVER = -1;

/**
 * Token Recycling (Luo et al., 2024): remembers for every id the topK ids the target last thought likely after it, and
 * drafts the tree they span. Learns from every node of every round, rejected ones too, in node order: the last one wins.
 * Rows never written are skipped, so a fresh drafter proposes the root alone.
 *
 * @throws ERR_OPTION; its sessions throw ERR_CONTRACT on ids outside the vocabulary
 */
export function createRecycling(options: RecyclingOptions): RecyclingDrafter {
  checkKeys(options, ["vocabularySize", "topK", "template"]);
  const { vocabularySize, topK, template: text } = { ...RECYCLING_DEFAULTS, ...options };
  checkInteger("vocabularySize", vocabularySize, 1, 2 ** 21);
  checkInteger("topK", topK, 1, 10);
  const template = parseTemplate(text, topK);
  const matrix = new Int32Array(vocabularySize * topK).fill(NEVER);

  const learn = ({ tree, rows }: Outcome) => {
    for (let node = 0; node < tree.tokens.length; node++) {
      const row = checkedId(tree.tokens[node]!, vocabularySize) * topK;
      const top = rows.top(node);
      for (let rank = 0; rank < topK; rank++)
        matrix[row + rank] = rank < top.length ? checkedId(top[rank]!, vocabularySize) : NEVER;
    }
  };

  return {
    contractVersion: CONTRACT_VERSION,
    name: "recycling",
    needs: { topK },
    vocabularySize,
    open: () => openSession((root, request) => grow(root, request, template, matrix, topK), learn),
    reset: () => void matrix.fill(NEVER),
  };
}

function openSession(
  propose: (root: number, request: DraftRequest) => TokenTree,
  learn: (outcome: Outcome) => void,
): DrafterSession {
  let root: number | undefined;
  let disposed = false;
  const running = () => {
    if (root === undefined || disposed) throw notRunning("recycling", disposed);
    return root;
  };

  return {
    begin({ ids }) {
      if (disposed) throw notRunning("recycling", true);
      root = ids[ids.length - 1];
    },
    propose(request) {
      if (request.signal.aborted) throw abortError(request.signal);
      return { tree: propose(running(), request) };
    },
    observe(outcome) {
      const last = running();
      learn(outcome);
      root = outcome.committed[outcome.committed.length - 1] ?? last;
    },
    dispose() {
      disposed = true;
    },
  };
}

/** The template filled from the matrix under root + head, within the request; the best-ranked path first. */
function grow(
  root: number,
  { length, nodes, head }: DraftRequest,
  template: Template,
  matrix: Int32Array,
  topK: number,
): TokenTree {
  const tokens = [root];
  const parents = [-1];
  const add = (parent: number, token: number): number => {
    for (let node = parent + 1; node < tokens.length; node++)
      if (parents[node] === parent && tokens[node] === token) return node;
    parents.push(parent);
    return tokens.push(token) - 1;
  };

  for (const id of head.subarray(0, Math.min(length, nodes))) add(tokens.length - 1, id);
  const start = tokens.length - 1;
  /** Node of every template entry, -1 where it could not be filled. */
  const placed = new Int32Array(template.ranks.length).fill(-1);
  for (let entry = 0; entry < placed.length && tokens.length <= nodes; entry++) {
    const above = template.parents[entry]!;
    const parent = above === -1 ? start : placed[above]!;
    if (parent === -1 || start + template.depths[entry]! > length) continue;
    const token = matrix[tokens[parent]! * topK + template.ranks[entry]!];
    if (token !== undefined && token !== NEVER) placed[entry] = add(parent, token);
  }
  return trunkFirst({ tokens: Int32Array.from(tokens), parents: Int32Array.from(parents) });
}

function checkedId(id: number, vocabularySize: number): number {
  if (id >= 0 && id < vocabularySize) return id;
  throw new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `Token Recycling met the id ${id}`,
    why: `it was made for ids 0..${vocabularySize - 1}`,
    next: "Pass the target's own vocabularySize to createRecycling.",
    details: { id, vocabularySize },
  });
}
