import type { Lattice } from "./lattice.ts";
import type { TokenTree } from "./token-tree.ts";

export interface SearchRequest {
  readonly lattice: Lattice;
  /** Committed ids; the last one is the root of the result. */
  readonly context: Int32Array;
  /** Most nodes of the result, the root not counted. */
  readonly nodes: number;
  /** Most depth of the result; absent: the lattice's. A search whose scorer names candidates may go on behind the lattice. */
  readonly length?: number;
}

export interface SearchResult {
  /** Root at node 0, the best path first as the trunk. */
  readonly tree: TokenTree;
  /** The score of the best path (Eq. 8), nats. */
  readonly score: number;
  /** Eq. 9's L_gen where the search decides it, as one does that goes on behind the lattice; else the lattice's. */
  readonly generatedLength?: number;
}

/** Picks the path (or the tree) of a lattice that the target will most likely agree with. */
export interface PathSearch {
  readonly name: string;
  search(request: SearchRequest): SearchResult | Promise<SearchResult>;
}
