import { chain, type PathSearch, type SearchRequest, type SearchResult } from "@diffuspec/contracts";
import { readRequest } from "./request.ts";

export interface ArgmaxSearch extends PathSearch {
  search(request: SearchRequest): SearchResult;
}

/** The drafter's own choice, no scorer asked: the first candidate of every position. `score` is the sum of ln q, in nats. */
export function createArgmaxSearch(): ArgmaxSearch {
  return {
    name: "argmax",
    search(request) {
      const { lattice, depth, root } = readRequest(request);
      const path = new Int32Array(depth);
      let score = 0;
      for (let i = 0; i < depth; i++) {
        path[i] = lattice.tokens[lattice.offsets[i]];
        score += lattice.logProbs[lattice.offsets[i]];
      }
      return { tree: chain(root, path), score };
    },
  };
}
