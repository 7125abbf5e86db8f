import { CONTRACT_VERSION, DiffuSpecError, type Verifier, type Vocabulary } from "@diffuspec/contracts";
import { type Decoder, probeRowExact, type RowExactness } from "@diffuspec/onnx-decoder";
import { createSession } from "./session.ts";
import { optionError } from "./target.ts";

/** How a target's passes are run, whatever its graphs. */
export interface PassOptions {
  /**
   * "exact" (default): no pass has a single row, and a graph whose rows depend on each other is refused.
   * "tolerant": anything runs, near ties may fall otherwise than in plain decoding.
   */
  readonly exactness?: "exact" | "tolerant";
  /** How hard exact mode looks for rows that differ; "off" trusts the graph. Default "quick". */
  readonly probe?: "quick" | "thorough" | "off";
  /** Compared with the drafter's by the loop. */
  readonly vocabulary?: Vocabulary;
  /** Ids of one prefill pass, 2 or more; default 256, or all positions where there are fewer. The signal is looked at between passes. */
  readonly prefillChunk?: number;
  /** Most nodes of a tree, the root counted. */
  readonly maxNodes?: number;
}

export type PassSettings = Required<Pick<PassOptions, "exactness" | "probe" | "prefillChunk">> &
  Pick<PassOptions, "vocabulary">;

/** @throws ERR_OPTION */
export function checkPassOptions(
  options: PassOptions,
  defaults: Required<Pick<PassOptions, "exactness" | "probe" | "prefillChunk">>,
  positions: number,
): PassSettings {
  const { exactness = defaults.exactness, probe = defaults.probe } = options;
  const { prefillChunk = Math.min(defaults.prefillChunk, positions) } = options;
  if (exactness !== "exact" && exactness !== "tolerant")
    throw optionError(`exactness is ${JSON.stringify(exactness)}`, 'it is "exact" or "tolerant"', "Pass one of them.");
  if (probe !== "quick" && probe !== "thorough" && probe !== "off")
    throw optionError(`probe is ${JSON.stringify(probe)}`, 'it is "quick", "thorough" or "off"', "Pass one of them.");
  if (!Number.isInteger(prefillChunk) || prefillChunk < 2 || prefillChunk > positions)
    throw optionError(`prefillChunk is ${prefillChunk}`, `it is an integer in 2..${positions}`, "The default is 256.");
  return { exactness, probe, prefillChunk, ...(options.vocabulary && { vocabulary: options.vocabulary }) };
}

/** @throws ERR_VOCABULARY_MISMATCH where the tokenizer has ids that the target has not */
export function checkVocabulary(vocabulary: Vocabulary | undefined, vocabularySize: number): void {
  if (vocabulary === undefined || vocabulary.size <= vocabularySize) return;
  throw new DiffuSpecError({
    code: "ERR_VOCABULARY_MISMATCH",
    what: `The tokenizer has ${vocabulary.size} ids`,
    why: `the target has ${vocabularySize}`,
    next: "Use the tokenizer that belongs to the model.",
  });
}

/** The probe's findings, unless it is off or nothing is promised. @throws ERR_NOT_ROW_EXACT */
export async function proveRowExact(
  chain: Decoder,
  { exactness, probe, prefillChunk }: PassSettings,
  wayOut: string,
): Promise<RowExactness | undefined> {
  if (exactness !== "exact" || probe === "off") return undefined;
  const found = await probeRowExact({ decoder: chain, effort: probe, prefillRows: prefillChunk });
  refuseUnlessExact(found, chain, wayOut);
  return found;
}

/** @throws ERR_NOT_ROW_EXACT */
export function refuseUnlessExact({ firstDifference: found }: RowExactness, decoder: Decoder, wayOut: string): void {
  if (found === undefined) return;
  throw new DiffuSpecError({
    code: "ERR_NOT_ROW_EXACT",
    what: `${decoder.label} cannot verify exactly`,
    why:
      found.output === "argmax"
        ? `its argmax of a row is ${found.actual} where the lowest of the largest logits is ${found.expected}`
        : `${found.output} of a row is ${found.actual} in a pass of ${found.rowCount} rows and ${found.expected} in another, so drafts would change the output`,
    next: wayOut,
    details: { ...found },
  });
}

/** The contracts' verifier over a graph of chains and, where there is one, a graph of trees. */
export function assemble(parts: {
  readonly name: string;
  readonly chain: Decoder;
  /** Loads the graph of trees, or throws. */
  readonly tree: () => Promise<Decoder>;
  /** What is to be disposed besides the graph of chains. */
  readonly loadedTree?: () => Promise<Decoder> | undefined;
  readonly eosIds: readonly number[];
  readonly contextLength: number;
  readonly maxNodes: number;
  readonly exactness: "exact" | "tolerant";
  readonly prefillChunk: number;
  readonly vocabulary?: Vocabulary;
}): Verifier & { dispose(): Promise<void> } {
  const { name, chain, tree, eosIds, contextLength, maxNodes, exactness, prefillChunk, vocabulary } = parts;
  let disposed = false;
  return {
    contractVersion: CONTRACT_VERSION,
    name,
    vocabularySize: chain.shape.vocabularySize,
    ...(vocabulary && { vocabulary }),
    contextLength,
    eosIds,
    maxNodes,
    exactness,
    open() {
      if (disposed)
        throw new DiffuSpecError({
          code: "ERR_CLOSED",
          what: "open() was called",
          why: "the verifier has been disposed",
          next: "Create it again.",
        });
      return createSession({ chain, tree, exact: exactness === "exact", contextLength, maxNodes, prefillChunk });
    },
    async dispose() {
      disposed = true;
      await chain.dispose();
      await (await parts.loadedTree?.()?.catch(() => undefined))?.dispose();
    },
  };
}
