import { DiffuSpecError, type Lattice, MAX_TREE_NODES, type SearchRequest } from "@diffuspec/contracts";

/** The parts of a checked request. */
export interface Task {
  readonly lattice: Lattice;
  /** Positions that may be used: the lattice's, no more than `nodes` and `length`. */
  readonly depth: number;
  /** Most depth of the result, for a search that may go on behind the lattice. */
  readonly length: number;
  readonly root: number;
  /** Most nodes of the result, the root not counted. */
  readonly nodes: number;
}

/** @throws ERR_CONTRACT where the request or its lattice is malformed. */
export function readRequest({ lattice, context, nodes, length: asked = lattice.depth }: SearchRequest): Task {
  for (const [name, value] of Object.entries({ nodes, length: asked }))
    if (!Number.isInteger(value) || value < 0) throw violated(`${name} is ${value}, which should be an integer >= 0`);
  if (context.length === 0) throw violated("context has no ids, and the last one is the root");
  const most = Math.min(nodes, MAX_TREE_NODES - 1);
  const length = Math.min(asked, most);
  const depth = Math.min(lattice.depth, length);
  if (lattice.offsets[0] !== 0) throw violated(`the first offset of the lattice is ${lattice.offsets[0]}, not 0`);
  for (let i = 0; i < depth; i++)
    if (!(lattice.offsets[i + 1] > lattice.offsets[i])) throw violated(`position ${i} of the lattice has no candidate`);
  const cells = lattice.offsets[depth];
  if (!(lattice.tokens.length >= cells && lattice.logProbs.length >= cells))
    throw violated(`the lattice has ${cells} candidates and arrays for fewer`);
  for (let c = 0; c < cells; c++)
    if (!(lattice.logProbs[c] <= 0))
      throw violated(`candidate ${c} of the lattice has the log-probability ${lattice.logProbs[c]}`);
  return { lattice, depth, length, root: context[context.length - 1], nodes: most };
}

export const violated = (why: string) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: "The path search was given something it cannot work on",
    why,
    next: "Check the drafter that built the request, or the scorer.",
  });
