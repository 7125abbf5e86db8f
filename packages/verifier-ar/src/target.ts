import { DiffuSpecError, MAX_TREE_NODES } from "@diffuspec/contracts";
import type { DecoderShape } from "@diffuspec/onnx-decoder";

/** The graphs made from one checkpoint. */
export type Precision = "int8" | "fp32" | "int4";

/** The part of a model's manifest that describes the target. */
export interface TargetManifest extends DecoderShape {
  /** Most ids of prompt and completion together. */
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly bosId?: number;
  /** File names, relative to the manifest. */
  readonly graphs: Readonly<Partial<Record<Precision, { readonly chain: string; readonly tree: string }>>>;
}

/** What every factory of this package needs to find a model. */
export interface ModelOptions {
  readonly target: TargetManifest;
  /** The path of a file that the manifest names. */
  readonly resolve: (file: string) => string;
  /** Threads of one operator; default: one a core, at most four. */
  readonly threads?: number;
  /** Idle threads wait actively; default true. */
  readonly spin?: boolean;
}

/** The files of one precision. @throws ERR_OPTION where the model has none */
export function graphsOf(target: TargetManifest, precision: Precision): { chain: string; tree: string } {
  const graphs = target.graphs?.[precision];
  if (graphs === undefined)
    throw optionError(
      `precision is ${JSON.stringify(precision)}`,
      `the model has ${Object.keys(target.graphs ?? {}).join(" and ") || "no graphs"}`,
      "Pass one of those.",
    );
  return graphs;
}

/**
 * Rows of the rotary table that remain beyond the context are room for the nodes of a tree; where the manifest leaves
 * none, or fewer than `maxNodes`, the context gives way.
 *
 * @throws ERR_OPTION
 */
export function limitsOf(target: TargetManifest, maxNodes?: number): { contextLength: number; maxNodes: number } {
  const { contextLength, positions } = target;
  if (!Number.isInteger(contextLength) || contextLength < 2)
    throw optionError(`contextLength is ${contextLength}`, "it is an integer of at least 2", "Correct the manifest.");
  const nodes = maxNodes ?? Math.min(MAX_TREE_NODES, Math.max(2, positions - contextLength));
  if (!Number.isInteger(nodes) || nodes < 2 || nodes > MAX_TREE_NODES || nodes > positions - 2)
    throw optionError(
      `maxNodes is ${nodes}`,
      `it is an integer in 2..${Math.min(MAX_TREE_NODES, positions - 2)} for this model`,
      "Leave it out to use the room the model has.",
    );
  return { contextLength: Math.min(contextLength, positions - nodes), maxNodes: nodes };
}

export const optionError = (what: string, why: string, next: string) =>
  new DiffuSpecError({ code: "ERR_OPTION", what, why, next });
