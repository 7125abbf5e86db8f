import type { WeightIndex } from "../weights/weight-index.ts";
import { createGraph } from "./builder.ts";
import { decoderBody } from "./decoder.ts";
import { drafterHead, targetHead } from "./heads.ts";
import type { GraphShape } from "./layers.ts";
import type { Arithmetic } from "./product.ts";

export interface GraphOptions {
  readonly shape: GraphShape;
  /** What the weight file holds; the graph must lie beside it. */
  readonly weights: WeightIndex;
  /** For weights stored as int8; others are multiplied as they are stored. */
  readonly arithmetic: Arithmetic;
  /** Name inside the file; runtimes show it. */
  readonly name: string;
}

/**
 * The graph of an autoregressive target, for chains or for trees, with every hidden row as an output.
 *
 * @param options givesPeaks: also outputs peak_N.qkv, peak_N.gate_up, peak_N.down, what calibration looks at
 */
export function targetGraph(
  options: GraphOptions & { readonly kind: "chain" | "tree"; readonly givesPeaks?: boolean },
): Uint8Array {
  const { shape, arithmetic, kind, name, givesPeaks = false } = options;
  const graph = createGraph(options.weights);
  decoderBody(graph, { shape, arithmetic, attention: kind, givesTaps: true, readsTaps: 0, givesPeaks });
  targetHead(graph, shape.vocabularySize);
  return graph.encode(name);
}

/** The graph of a masked diffusion drafter: block-causal by its attention_bias, a table of the best ids as output. */
export function drafterGraph(
  options: GraphOptions & {
    readonly maskId: number;
    /** Candidates of each position. */
    readonly top: number;
    /** Hidden rows of the target that it reads; default 0. */
    readonly taps?: number;
  },
): Uint8Array {
  const { shape, arithmetic, name, maskId, top, taps = 0 } = options;
  const graph = createGraph(options.weights);
  decoderBody(graph, { shape, arithmetic, attention: "open", givesTaps: false, readsTaps: taps });
  drafterHead(graph, shape.vocabularySize, maskId, top);
  return graph.encode(name);
}
