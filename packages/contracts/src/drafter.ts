import type { Sampler } from "./sampler.ts";
import type { TokenTree } from "./token-tree.ts";
import type { Vocabulary } from "./tokenizer.ts";
import type { Rows } from "./verifier.ts";
import type { CONTRACT_VERSION } from "./version.ts";

/** A hidden row of the target: "output" is the LM head's input; a number n is the residual stream entering layer n. */
export type Tap = "output" | number;

/** What a drafter wants to see of the target's work. Nothing else is computed or copied. */
export interface Needs {
  /** The best ids of every row, this many, best first. */
  readonly topK?: number;
  /** Hidden rows of these places. */
  readonly taps?: readonly Tap[];
  /** False: in rounds in which no draft was asked for (`Outcome.idle`) nothing of this is wanted. Default true. */
  readonly whenIdle?: boolean;
}

/** The beginning of one generation. */
export interface DraftStart {
  /** All committed ids, prompt included; the last one is the root of the first draft. A copy, the session may keep it. */
  readonly ids: Int32Array;
  /** The sampler of this generation. A drafter that samples should use its noise: it then agrees with the target more often. */
  readonly sampler: Sampler;
}

export interface DraftRequest {
  /** Most depth that pays, in tokens after the root; the length controller's k. Never 0: such rounds skip the drafter. */
  readonly length: number;
  /** Most nodes, the root not counted. */
  readonly nodes: number;
  /**
   * Ids that the target has already chosen tentatively after the root (a side branch of the last tree); may be empty.
   * A drafter should let its draft begin with them; where it does not, the loop puts them in front itself.
   */
  readonly head: Int32Array;
  /** Fires where the loop gives a call up; one for all calls of a generation. */
  readonly signal: AbortSignal;
}

export interface Draft {
  /** Node 0 is the last committed token. The most probable path should come first: it becomes the exact trunk. */
  readonly tree: TokenTree;
  /** L_gen of Eq. 9: tokens before the first EOS of the raw argmax draft. Absent: the tree's depth. */
  readonly generatedLength?: number;
  /** How many of the tree's tokens the drafter itself expects to be accepted, >= 0; absent where it cannot say. */
  readonly expectedAccepted?: number;
  /** Milliseconds of the draft that went into searching rather than into a model; for the statistics. */
  readonly searchMs?: number;
}

/** What became of a round. Given to the drafter every round, also of rounds it did not draft. */
export interface Outcome {
  /** The tree as it was verified: normalised, root at node 0. */
  readonly tree: TokenTree;
  /** The target's rows, one a node. Valid until observe() returns or resolves. */
  readonly rows: Rows;
  /** Accepted nodes, root first. */
  readonly path: Int32Array;
  /** The ids committed by this round: accepted draft tokens, then the bonus. The last one is the next root. */
  readonly committed: Int32Array;
  /**
   * True in a round in which no draft was asked for; its rows show what Needs names unless `whenIdle` is false. Not set for a first
   * token that came out of the prefill: nothing was proposed before it either, and its row shows what Needs names.
   */
  readonly idle?: boolean;
}

/** One conversation's state of a drafter. Life cycle: begin, (propose, observe)*, begin again or dispose. */
export interface DrafterSession {
  /** Starts a generation; what the session cached of an equal prefix may be reused. */
  begin(start: DraftStart): void | Promise<void>;
  propose(request: DraftRequest): Draft | Promise<Draft>;
  observe(outcome: Outcome): void | Promise<void>;
  dispose(): void | Promise<void>;
}

/** Owns what outlives a generation (weights, a recycling matrix, a corpus); sessions own the rest. */
export interface Drafter {
  readonly contractVersion: typeof CONTRACT_VERSION;
  readonly name: string;
  readonly needs: Needs;
  /** Present where the drafter has a vocabulary of its own; compared with the target's at construction. */
  readonly vocabulary?: Vocabulary;
  open(): DrafterSession | Promise<DrafterSession>;
  dispose?(): void | Promise<void>;
}
