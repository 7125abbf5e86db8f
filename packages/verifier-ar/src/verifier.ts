import { CONTRACT_VERSION, DiffuSpecError, type Verifier, type Vocabulary } from "@diffuspec/contracts";
import {
  createDecoder,
  type Decoder,
  probeRowExact,
  probeTrunkExact,
  type RowExactness,
} from "@diffuspec/onnx-decoder";
import { createSession } from "./session.ts";
import { graphsOf, limitsOf, type ModelOptions, optionError, type Precision } from "./target.ts";

/** Options of {@link createVerifier}. */
export interface VerifierOptions extends ModelOptions {
  /** Which graphs of the checkpoint; default "int8". */
  readonly precision?: Precision;
  /**
   * "exact" (default): no pass has a single row, and a graph whose rows depend on each other is refused.
   * "tolerant": anything runs, near ties may fall otherwise than in plain decoding.
   */
  readonly exactness?: "exact" | "tolerant";
  /** How hard exact mode looks for rows that differ; "off" trusts the graph. Default "quick". */
  readonly probe?: "quick" | "thorough" | "off";
  /** Compared with the drafter's by the loop. */
  readonly vocabulary?: Vocabulary;
  /** Ids of one prefill pass, 2 or more; default 64. The signal is looked at between passes. */
  readonly prefillChunk?: number;
  /** Most nodes of a tree; default: the rows of the rotary table beyond the context, at most 1,024. */
  readonly maxNodes?: number;
}

/** The defaults of {@link createVerifier}. */
export const VERIFIER_DEFAULTS = { precision: "int8", exactness: "exact", probe: "quick", prefillChunk: 64 } as const;

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
  const { target, resolve, vocabulary } = options;
  const { precision, exactness, probe, prefillChunk } = { ...VERIFIER_DEFAULTS, ...defined(options) };
  if (exactness !== "exact" && exactness !== "tolerant")
    throw optionError(`exactness is ${JSON.stringify(exactness)}`, 'it is "exact" or "tolerant"', "Pass one of them.");
  if (probe !== "quick" && probe !== "thorough" && probe !== "off")
    throw optionError(`probe is ${JSON.stringify(probe)}`, 'it is "quick", "thorough" or "off"', "Pass one of them.");
  if (!Number.isInteger(prefillChunk) || prefillChunk < 2 || prefillChunk > target.positions)
    throw optionError(
      `prefillChunk is ${prefillChunk}`,
      `it is an integer in 2..${target.positions}`,
      "The default is 64.",
    );
  const { contextLength, maxNodes } = limitsOf(target, options.maxNodes);
  const files = graphsOf(target, precision);
  if (vocabulary !== undefined && vocabulary.size > target.vocabularySize)
    throw new DiffuSpecError({
      code: "ERR_VOCABULARY_MISMATCH",
      what: `The tokenizer has ${vocabulary.size} ids`,
      why: `the target has ${target.vocabularySize}`,
      next: "Use the tokenizer that belongs to the model.",
    });

  const exact = exactness === "exact";
  const load = (file: string) =>
    createDecoder({
      graph: resolve(file),
      shape: target,
      label: file,
      ...(options.threads !== undefined && { threads: options.threads }),
      ...(options.spin !== undefined && { spin: options.spin }),
    });
  const chain = await load(files.chain);
  let rowExactness: RowExactness | undefined;
  if (exact && probe !== "off") {
    rowExactness = await probeRowExact({ decoder: chain, effort: probe, maxRows: Math.max(64, prefillChunk) });
    await refuseUnlessExact(rowExactness, chain);
  }

  let tree: Promise<Decoder> | undefined;
  const loadTree = () => {
    tree ??= (async () => {
      const decoder = await load(files.tree);
      if (exact && probe !== "off") await refuseUnlessExact(await probeTrunkExact({ chain, tree: decoder }), decoder);
      return decoder;
    })();
    tree.catch(() => {
      tree = undefined;
    });
    return tree;
  };

  let disposed = false;
  return {
    contractVersion: CONTRACT_VERSION,
    name: files.chain,
    precision,
    chain,
    vocabularySize: target.vocabularySize,
    ...(vocabulary && { vocabulary }),
    contextLength,
    eosIds: target.eosIds,
    maxNodes,
    exactness,
    ...(rowExactness && { rowExactness }),
    loadTree,
    open() {
      if (disposed)
        throw new DiffuSpecError({
          code: "ERR_CLOSED",
          what: "open() was called",
          why: "the verifier has been disposed",
          next: "Create it again.",
        });
      return createSession({ chain, tree: loadTree, exact, contextLength, maxNodes, prefillChunk });
    },
    async dispose() {
      disposed = true;
      await chain.dispose();
      await (await tree?.catch(() => undefined))?.dispose();
    },
  };
}

async function refuseUnlessExact({ firstDifference: found }: RowExactness, decoder: Decoder): Promise<void> {
  if (found === undefined) return;
  await decoder.dispose();
  throw new DiffuSpecError({
    code: "ERR_NOT_ROW_EXACT",
    what: `${decoder.label} cannot verify exactly`,
    why:
      found.output === "argmax"
        ? `its argmax of a row is ${found.actual} where the lowest of the largest logits is ${found.expected}`
        : `${found.output} of a row is ${found.actual} in a pass of ${found.rowCount} rows and ${found.expected} in another, so drafts would change the output`,
    next: 'Use graphs with one activation scale a row (int8 or int4 of an import) or fp32, or pass exactness: "tolerant".',
    details: { ...found },
  });
}

/** Without the keys whose value is undefined, which would hide a default. */
function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
