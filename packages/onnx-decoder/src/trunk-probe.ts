import { treeBias } from "./bias.ts";
import { createCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import type { RowExactness } from "./probe.ts";
import { differ, fill, generator, option } from "./probe-tools.ts";
import { chainRequest } from "./request.ts";
import { rowRange } from "./rows.ts";

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
  const trunk = Math.min(8, positions >> 2);
  const side = Math.min(8, positions >> 2);
  const draw = (count: number) => Int32Array.from({ length: count }, () => Math.floor(random() * vocabularySize));
  const cache = createCache(chain.shape);
  let checked = 0;
  try {
    for (const past of [0, (positions - trunk - side) >> 1]) {
      await fill(chain, cache, past, () => draw(Math.min(32, positions >> 1)));
      const ids = draw(trunk + side);
      const fetch = ["logits", "new_kv"];
      const expected = await chain.run(cache, chainRequest(chain, past, ids.subarray(0, trunk), fetch));
      for (const branches of [0, side]) {
        const parents = Int32Array.from({ length: trunk + branches }, (_, i) =>
          i < trunk ? i - 1 : Math.floor(random() * i),
        );
        const depth: number[] = [];
        for (let i = 0; i < parents.length; i++) depth.push(i === 0 ? 0 : depth[parents[i]!]! + 1);
        const actual = await tree.run(cache, {
          ids: ids.subarray(0, trunk + branches),
          rows: rowRange(0, trunk + branches),
          fetch,
          bias: treeBias(parents, past),
          positions: Int32Array.from(depth, (d) => past + d),
        });
        checked++;
        const difference = differ(expected, actual, 0, trunk, chain.shape);
        if (difference !== undefined)
          return {
            rowExact: false,
            checked,
            firstDifference: { ...difference, pastLength: past, rowCount: trunk + branches },
          };
      }
    }
  } finally {
    cache.dispose();
  }
  return { rowExact: true, checked };
}
