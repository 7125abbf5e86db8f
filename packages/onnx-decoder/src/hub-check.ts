import { DiffuSpecError } from "@diffuspec/contracts";
import type { InferenceSession } from "onnxruntime-node";
import type { DecoderShape } from "./shape.ts";

/** What a published decoder graph is made of. */
export interface HubGraph {
  readonly shape: DecoderShape;
  /** Type of keys and values. */
  readonly kvType: "float32" | "float16";
  /** Sizes of num_logits_to_keep: [] or [1]; undefined where the graph has no such input. */
  readonly keepDims: readonly number[] | undefined;
}

const PLAIN_INPUTS = ["input_ids", "attention_mask", "position_ids", "num_logits_to_keep"];
const PAST = /^past_key_values\.(\d+)\.(key|value)$/;

/**
 * Holds a graph against the convention of the decoders published for transformers.js and reads its sizes off it; what the
 * graph leaves open is taken from `known`.
 *
 * @throws ERR_UNSUPPORTED for another convention or type, ERR_GRAPH where graph and `known` disagree
 */
export function checkHubGraph(
  session: InferenceSession,
  known: Partial<DecoderShape> & Pick<DecoderShape, "positions">,
  label: string,
): HubGraph {
  const inputs = tensors(session.inputMetadata);
  const outputs = tensors(session.outputMetadata);
  const ids = inputs.get("input_ids");
  if (ids === undefined)
    throw unsupported(label, `it has no input input_ids${inputs.has("inputs_embeds") ? ", but inputs_embeds" : ""}`);
  for (const name of PLAIN_INPUTS) {
    const type = inputs.get(name)?.type ?? "int64";
    if (type !== "int64") throw unsupported(label, `its input ${name} is ${type}, not int64`);
  }
  const foreign = [...inputs.keys()].find((name) => !PLAIN_INPUTS.includes(name) && !PAST.test(name));
  if (foreign !== undefined) throw unsupported(label, reasonAgainst(foreign));

  const layers = [...inputs.keys()].filter((name) => PAST.exec(name)?.[2] === "key").length;
  if (layers === 0) throw unsupported(label, "it has no past_key_values, so every pass would be a prefill");
  const logits = outputs.get("logits");
  if (logits?.shape.length !== 3 || !isFloat(logits.type))
    throw unsupported(label, "it has no output logits of three dimensions in float32 or float16");
  const first = inputs.get("past_key_values.0.key");
  const kvType = first?.type;
  if (!isFloat(kvType))
    throw unsupported(label, `its keys are ${kvType ?? "not numbered from 0"}, not float32 or float16`);
  const size = (what: "kvHeads" | "headDim" | "vocabularySize", found: number | string | undefined): number => {
    const given = known[what];
    if (typeof found !== "number" || found < 1) {
      if (given === undefined) throw unsupported(label, `neither the graph nor the configuration names its ${what}`);
      return given;
    }
    if (given !== undefined && given !== found) throw disagree(label, what, found, given);
    return found;
  };
  if (known.layers !== undefined && known.layers !== layers) throw disagree(label, "layers", layers, known.layers);
  const kvHeads = size("kvHeads", first!.shape[1]);
  const headDim = size("headDim", first!.shape[3]);
  for (let layer = 0; layer < layers; layer++)
    for (const side of ["key", "value"]) {
      const value = inputs.get(`past_key_values.${layer}.${side}`);
      if (value === undefined) throw unsupported(label, `it has no input past_key_values.${layer}.${side}`);
      const alike =
        value.type === kvType && [first!.shape[1], first!.shape[3]].join() === [value.shape[1], value.shape[3]].join();
      if (value.shape.length !== 4 || !alike)
        throw unsupported(
          label,
          `its layers keep keys and values of several shapes (layer ${layer}: ${value.shape.join(" x ")})`,
        );
      if (outputs.get(`present.${layer}.${side}`)?.type !== kvType)
        throw unsupported(label, `it has no ${kvType} output present.${layer}.${side}`);
    }
  const keep = inputs.get("num_logits_to_keep");
  return {
    shape: {
      layers,
      kvHeads,
      headDim,
      width: known.width ?? kvHeads * headDim,
      vocabularySize: size("vocabularySize", logits.shape[2]),
      positions: known.positions,
    },
    kvType,
    keepDims: keep && (keep.shape.length === 0 ? [] : [1]),
  };
}

const isFloat = (type: string | undefined): type is "float32" | "float16" => type === "float32" || type === "float16";

const tensors = (values: readonly InferenceSession.ValueMetadata[]) =>
  new Map(values.flatMap((value) => (value.isTensor ? [[value.name, value] as const] : [])));

function reasonAgainst(input: string): string {
  if (input === "use_cache_branch")
    return "its input use_cache_branch marks an older merged export, whose first and later passes are two graphs";
  if (/conv|ssm|recurrent/.test(input)) return `its input ${input} is a running state, which cannot be rolled back`;
  return `it wants the input ${input}`;
}

const unsupported = (label: string, why: string) =>
  new DiffuSpecError({
    code: "ERR_UNSUPPORTED",
    what: `${label} is no decoder this adapter can run`,
    why,
    next: "Use a text decoder exported with past_key_values, as for transformers.js 3, or import the model's weights with @diffuspec/model-import.",
  });

const disagree = (label: string, what: string, found: number, given: number) =>
  new DiffuSpecError({
    code: "ERR_GRAPH",
    what: `${label} is not the model its configuration describes`,
    why: `${what} is ${found} in the graph and ${given} in the configuration`,
    next: "Take graph, config.json and tokenizer from one revision of one model.",
    details: { what, graph: found, configuration: given },
  });
