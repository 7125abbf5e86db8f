import { depths } from "@diffuspec/contracts";
import { treeBias } from "./bias.ts";
import { createCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import type { RowExactness } from "./probe.ts";
import { differ, fill, generator, option } from "./probe-tools.ts";
import { chainRequest } from "./request.ts";
import { rowRange } from "./rows.ts";

/** Nodes on the trunk and on side branches. */
const CASES = [
  [2, 0],
  [8, 0],
  [8, 8],
  [20, 36],
] as const;
const FETCH = ["logits", "new_kv"];

/**
 * Whether a tree graph's leading trunk equals the chain graph bit for bit, side branches present or not.
 *
 * @throws ERR_OPTION where the second graph takes no tree
 */
export async function probeTrunkExact(options: {
  chain: Decoder;
  tree: Decoder;
  seed?: number;
}): Promise<RowExactness> {
  const { chain, tree, seed = 2 } = options;
  if (!tree.inputs.has("attention_bias")) throw option(`${tree.label} takes no attention bias`);
  const random = generator(seed);
  const { vocabularySize, positions } = chain.shape;
  const draw = (count: number) => Int32Array.from({ length: count }, () => Math.floor(random() * vocabularySize));
  const cache = createCache(chain.shape);
  let checked = 0;
  try {
    for (const past of [0, positions >> 1]) {
      await fill(chain, cache, past, () => draw(Math.min(32, positions >> 1)));
      for (const [trunk, side] of CASES) {
        const count = trunk + side;
        if (past + count > positions) continue;
        const ids = draw(count);
        const parents = Int32Array.from(ids, (_, i) => (i < trunk ? i - 1 : Math.floor(random() * i)));
        const depth = depths({ tokens: ids, parents });
        const expected = await chain.run(cache, chainRequest(chain, past, ids.subarray(0, trunk), FETCH));
        const actual = await tree.run(cache, {
          ids,
          rows: rowRange(0, count),
          fetch: FETCH,
          bias: treeBias(parents, past),
          positions: depth.map((d) => past + d),
        });
        checked++;
        const found = differ(expected, actual, 0, trunk, chain.shape);
        if (found !== undefined)
          return { rowExact: false, checked, firstDifference: { ...found, pastLength: past, rowCount: count } };
      }
    }
  } finally {
    cache.dispose();
  }
  return { rowExact: true, checked };
}
