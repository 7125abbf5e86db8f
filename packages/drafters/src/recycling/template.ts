import { DiffuSpecError } from "@diffuspec/contracts";

/** A static tree over ranks: entry i hangs under entry parents[i] (-1: the root) and takes its rank-th best successor. */
export interface Template {
  /** Parent entry of every entry, -1 for the root; parents come before children. */
  readonly parents: Int32Array;
  /** Rank of every entry under its parent, 0 the best. */
  readonly ranks: Int32Array;
  /** Depth of every entry, 1 under the root. */
  readonly depths: Int32Array;
}

/**
 * The 80-node tree of the Token Recycling paper ("2.2.2"), depths 8/21/25/15/8/3. For machines where 81 rows cost little
 * more than one.
 */
export const RECYCLING_TREE_80 =
  "·:8 0:8 1:4 2:3 3:2 4:1 5:1 6:1 7:1 00:8 01:3 02:2 03:1 04:1 05:1 06:1 07:1 10:2 11:1 20:1 30:1 40:1 50:1 " +
  "000:5 001:2 002:1 003:1 004:1 010:1 020:1 100:1 200:1 300:1 0000:3 0001:1 0002:1 0010:1 0100:1 1000:1 00000:2 00010:1";

/** 20 nodes, depths 5/7/4/3/1: a middle way. */
export const RECYCLING_TREE_20 = "·:5 0:3 1:2 2:1 3:1 00:2 01:1 10:1 000:2 001:1 0000:1";

/** 4 nodes, depths 2/1/1, for machines with few cores, where every row is paid for. */
export const RECYCLING_TREE_4 = "·:2 0:1 00:1";

/**
 * Reads `path:count` pairs: the node reached by these ranks (one digit each, `·` the root) has that many children.
 * Entries come in the order in which they are worth a node: cheapest first, where an entry costs its parent's cost plus
 * 1 plus its rank; so the first n entries are the tree for a budget of n nodes.
 *
 * @throws ERR_OPTION when a pair is malformed, names a node no earlier pair created, or comes twice
 * @example
 * parseTemplate("·:2 0:1"); // two children, and one under the better of them
 */
export function parseTemplate(text: string, topK: number): Template {
  const bad = (why: string) =>
    new DiffuSpecError({
      code: "ERR_OPTION",
      what: "template is not a tree of ranks",
      why,
      next: 'Write pairs like "·:3 0:2 00:1": the path of ranks from the root, then the number of children.',
      details: { option: "template" },
    });
  if (typeof text !== "string" || text.trim() === "") throw bad("it holds no pair");

  const counts = new Map<string, number>();
  for (const pair of text.trim().split(/\s+/)) {
    const match = /^(·|[0-9]+):([1-9][0-9]?)$/.exec(pair);
    if (!match) throw bad(`"${pair}" is not of the form path:count`);
    const path = match[1] === "·" ? "" : match[1]!;
    if (counts.has(path)) throw bad(`the path ${match[1]} comes twice`);
    if (Number(match[2]) > topK) throw bad(`"${pair}" asks for more children than topK, which is ${topK}`);
    counts.set(path, Number(match[2]));
  }
  for (const path of counts.keys())
    if (path !== "" && !(Number(path.at(-1)) < (counts.get(path.slice(0, -1)) ?? 0)))
      throw bad(`"${path}:${counts.get(path)}" hangs under a node that no pair creates`);

  const paths = [...counts].flatMap(([path, count]) => Array.from({ length: count }, (_, rank) => path + rank));
  const cost = (path: string) => path.length + [...path].reduce((sum, rank) => sum + Number(rank), 0);
  paths.sort((a, b) => cost(a) - cost(b) || b.length - a.length || (a < b ? -1 : 1));
  const entry = new Map(paths.map((path, i) => [path, i]));
  return {
    parents: Int32Array.from(paths, (path) => entry.get(path.slice(0, -1)) ?? -1),
    ranks: Int32Array.from(paths, (path) => Number(path.at(-1))),
    depths: Int32Array.from(paths, (path) => path.length),
  };
}
