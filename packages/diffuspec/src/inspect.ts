import { abortError } from "@diffuspec/contracts";
import { createCache, probeRowExact, probeTrunkExact, timeRows } from "@diffuspec/onnx-decoder";
import { refuseUnknown, requireInteger } from "./checks.ts";
import type { ModelInfo } from "./events.ts";
import { INSPECT_DEFAULTS, type Inspection, type InspectOptions } from "./inspection.ts";
import type { Target } from "./target.ts";

/** Rows of the cache behind which passes are timed. */
const PAST = 128;

/** Probes and times a loaded target. @throws ERR_OPTION, ERR_ABORTED between its parts */
export async function inspect(
  { info, verifier }: { info: ModelInfo; verifier: Target },
  options: InspectOptions & { readonly signal?: AbortSignal } = {},
): Promise<Inspection> {
  const { signal, ...given } = options;
  refuseUnknown("inspect", given, Object.keys(INSPECT_DEFAULTS));
  const { thorough, rowCounts, repeats } = { ...INSPECT_DEFAULTS, ...given };
  const { chain } = verifier;
  const { positions, vocabularySize } = chain.shape;
  for (const rows of rowCounts) requireInteger("rowCounts", rows, 1, positions >> 1);
  requireInteger("repeats", repeats, 1, 1000);
  const part = async <T>(work: () => Promise<T>): Promise<T> => {
    if (signal?.aborted) throw abortError(signal);
    return work();
  };

  const begun = performance.now();
  const rows = await part(() => probeRowExact({ decoder: chain, effort: thorough ? "thorough" : "quick" }));
  const trees = await verifier.loadTree?.();
  const tree = trees && (await part(() => probeTrunkExact({ chain, tree: trees })));
  const ms = performance.now() - begun;

  const cache = createCache(chain.shape);
  try {
    const pastLength = Math.min(PAST, positions >> 1);
    const ids = Int32Array.from({ length: pastLength }, (_, i) => (11 + 17 * i) % vocabularySize);
    const all = Int32Array.from(ids.keys());
    await part(async () =>
      cache.append(await chain.run(cache, { ids, rows: Int32Array.of(0), fetch: ["new_kv"] }), all),
    );
    const counts = rowCounts.filter((count) => pastLength + count <= positions);
    const times = await part(() => timeRows(chain, cache, counts, { repeats }));
    const first = times[0]?.ms ?? 1;
    return {
      info,
      rowExactness: {
        rowExact: rows.rowExact && (tree?.rowExact ?? true),
        passes: rows.checked + (tree?.checked ?? 0),
        firstDifference: rows.firstDifference ?? tree?.firstDifference,
        ms,
      },
      timeByRows: times.map((time) => ({ ...time, ratio: time.ms / first })),
      pastLength,
    };
  } finally {
    cache.dispose();
  }
}
