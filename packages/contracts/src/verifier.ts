import type { Needs, Tap } from "./drafter.ts";
import type { TokenTree } from "./token-tree.ts";
import type { Vocabulary } from "./tokenizer.ts";
import type { CONTRACT_VERSION } from "./version.ts";

/** The target's view of one pass; row i belongs to node i of the tree. Valid until the next call of the session. */
export interface Rows {
  readonly count: number;
  /**
   * Rows 0..exact-1 are bit-equal to what plain decoding would compute; later rows are tentative.
   * A verifier whose every row is exact says `count`. The loop never commits what only a tentative row proves.
   */
  readonly exact: number;
  /** The lowest id among the largest logits of a row. */
  argmax(row: number): number;
  /** Logits of a row, [vocabularySize]; only where `logits` was asked for. The view may be overwritten by the next pass. */
  logits(row: number): Float32Array;
  /** The best `topK` ids of a row, best first; only where asked for. */
  top(row: number): Int32Array;
  /** A hidden row, [width]; only where asked for. */
  tap(row: number, tap: Tap): Float32Array;
}

export interface VerifyNeeds extends Needs {
  /** True where the sampler reads logits; false lets the verifier fetch nothing but the argmax. */
  readonly logits: boolean;
}

export interface PrefillOptions {
  readonly signal?: AbortSignal;
  /** Called after each chunk. */
  readonly onProgress?: (done: number, total: number) => void;
  /** What the first verify() will be asked for: a verifier that computes the last id on the way gives its row (`Prefill.root`). */
  readonly needs?: VerifyNeeds;
}

export interface Prefill {
  /** Leading ids whose cache rows were already there. */
  readonly reused: number;
  /** Ids cached now. */
  readonly computed: number;
  /**
   * The last id's row, what verify() of the root alone would give: a commit() of path [0] may follow as it would then. Only where
   * `needs` were given, and never owed; it spares the first token a pass of its own.
   */
  readonly root?: Rows;
}

/** A KV cache of the target. One call at a time; a second before the first ended is ERR_CONTRACT. */
export interface VerifierSession {
  /** Rows in the cache: committed ids minus the root. */
  readonly length: number;
  /**
   * Caches every id but the last, which is the root of the next pass; keeps what the cache shares with `ids` from an
   * earlier generation. In chunks; between chunks the signal is looked at, and what was computed stays.
   *
   * @throws ERR_ABORTED, ERR_CONTEXT_EXCEEDED, ERR_PROMPT (no ids, or an id outside the vocabulary)
   */
  prefill(ids: Int32Array, options?: PrefillOptions): Promise<Prefill>;
  /** One pass over the tree; the cache stays as it was until commit. @throws ERR_CONTEXT_EXCEEDED; ERR_UNSUPPORTED for a tree where `trees` is false */
  verify(tree: TokenTree, needs: VerifyNeeds): Promise<Rows>;
  /** Keeps the cache rows of these nodes of the last tree: root first, each the child of the one before. */
  commit(path: Int32Array): void | Promise<void>;
  dispose(): void | Promise<void>;
}

/** The autoregressive target. Pure with respect to acceptance: the rule lives in spec-loop. */
export interface Verifier {
  readonly contractVersion: typeof CONTRACT_VERSION;
  readonly name: string;
  readonly vocabularySize: number;
  readonly vocabulary?: Vocabulary;
  /** Most ids of prompt and completion together. */
  readonly contextLength: number;
  /** Ids that end a text. */
  readonly eosIds: readonly number[];
  /** Most nodes of a tree, the root counted. */
  readonly maxNodes: number;
  /** False: it verifies chains only and answers a tree with ERR_UNSUPPORTED; the loop then cuts drafts to their leading trunk. */
  readonly trees?: false;
  /** "exact": row results do not depend on the other rows. "tolerant": they may, near ties can differ. */
  readonly exactness: "exact" | "tolerant";
  open(): VerifierSession | Promise<VerifierSession>;
  dispose?(): void | Promise<void>;
}
