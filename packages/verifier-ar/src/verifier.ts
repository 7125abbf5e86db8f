import type { Verifier } from "@diffuspec/contracts";
import {
  createDecoder,
  type Decoder,
  probeTrunkExact,
  type RowExactness,
  withMeasuredThreads,
} from "@diffuspec/onnx-decoder";
import {
  assemble,
  checkPassOptions,
  checkVocabulary,
  type PassOptions,
  proveRowExact,
  refuseUnlessExact,
} from "./assemble.ts";
import { graphsOf, limitsOf, type ModelOptions, type Precision } from "./target.ts";

/**
 * Options of {@link createVerifier}. Most nodes of a tree: by default the rows of the rotary table beyond the context, at
 * most 1,024.
 */
export interface VerifierOptions extends Omit<ModelOptions, "threads">, PassOptions {
  /** Threads of one operator; default: one a core, at most four. "measure": the faster of one and that, tried out at load. */
  readonly threads?: number | "measure";
  /** Which graphs of the checkpoint; default "int8". */
  readonly precision?: Precision;
}

/** The defaults of {@link createVerifier}. */
export const VERIFIER_DEFAULTS = { precision: "int8", exactness: "exact", probe: "quick", prefillChunk: 256 } as const;

/** The contracts' verifier, with what `inspect` and benches look at. */
export interface OnnxVerifier extends Verifier {
  readonly precision: Precision;
  /** The graph of chains; plain decoding may use it too. */
  readonly chain: Decoder;
  /** The probe's findings; absent where it did not run. */
  readonly rowExactness?: RowExactness;
  /** Loads the graph of trees, which otherwise happens at the first tree. */
  loadTree(): Promise<Decoder>;
  dispose(): Promise<void>;
}

/**
 * An autoregressive target on ONNX Runtime.
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_GRAPH, ERR_VOCABULARY_MISMATCH,
 *   ERR_NOT_ROW_EXACT where the graph cannot serve exact mode
 */
export async function createVerifier(options: VerifierOptions): Promise<OnnxVerifier> {
  const { target, resolve, precision = VERIFIER_DEFAULTS.precision, vocabulary } = options;
  const settings = checkPassOptions(options, VERIFIER_DEFAULTS, target.positions);
  const { contextLength, maxNodes } = limitsOf(target, options.maxNodes);
  const files = graphsOf(target, precision);
  checkVocabulary(vocabulary, target.vocabularySize);

  const load = (file: string, threads: number | undefined) =>
    createDecoder({
      graph: resolve(file),
      shape: target,
      label: file,
      ...(threads !== undefined && { threads }),
      ...(options.spin !== undefined && { spin: options.spin }),
    });
  const { threads } = options;
  const chain = await (threads === "measure"
    ? withMeasuredThreads((count) => load(files.chain, count))
    : load(files.chain, threads));
  const rowExactness = await orDispose(chain, () => proveRowExact(chain, settings, WAY_OUT));

  let tree: Promise<Decoder> | undefined;
  const loadTree = () => {
    tree ??= (async () => {
      const decoder = await load(files.tree, chain.threads);
      if (settings.exactness === "exact" && settings.probe !== "off")
        await orDispose(decoder, async () =>
          refuseUnlessExact(await probeTrunkExact({ chain, tree: decoder }), decoder, WAY_OUT),
        );
      return decoder;
    })();
    tree.catch(() => {
      tree = undefined;
    });
    return tree;
  };

  const verifier = assemble({
    name: files.chain,
    chain,
    tree: loadTree,
    loadedTree: () => tree,
    eosIds: target.eosIds,
    contextLength,
    maxNodes,
    ...settings,
  });
  return { ...verifier, precision, chain, ...(rowExactness && { rowExactness }), loadTree };
}

const WAY_OUT =
  'Use graphs with one activation scale a row (int8 or int4 of an import) or fp32, or pass exactness: "tolerant".';

async function orDispose<T>(decoder: Decoder, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await decoder.dispose();
    throw error;
  }
}
