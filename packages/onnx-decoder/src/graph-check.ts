import { DiffuSpecError } from "@diffuspec/contracts";
import type { InferenceSession } from "onnxruntime-node";
import type { DecoderShape } from "./shape.ts";

type Size = number | "any";
type Expected = readonly [type: string, shape: readonly Size[]];

/**
 * Holds a graph's inputs and outputs against the convention and the shape it should have.
 *
 * @throws ERR_GRAPH naming the first input or output that is missing, unknown, or of another type or size
 */
export function checkGraph(session: InferenceSession, shape: DecoderShape, label: string): void {
  const { layers, kvHeads, headDim, width, vocabularySize } = shape;
  const past: Expected = ["float32", [1, kvHeads, "any", headDim]];
  const required = new Map<string, Expected>([
    ["input_ids", ["int32", [1, "any"]]],
    ["past_length", ["int64", [1]]],
    ["rows", ["int32", ["any"]]],
  ]);
  for (let i = 0; i < layers; i++) required.set(`past_${i}_key`, past).set(`past_${i}_value`, past);
  const optional = new Map<string, Expected>([
    ["attention_bias", ["float32", [1, 1, "any", "any"]]],
    ["position_ids", ["int64", [1, "any"]]],
    ["taps", ["float32", [1, "any", "any"]]],
  ]);
  compare("input", session.inputMetadata, required, optional, true, label);

  const hidden: Expected = ["float32", [1, "any", width]];
  const known = new Map<string, Expected>([
    ["logits", ["float32", ["any", vocabularySize]]],
    ["argmax", ["int32", ["any"]]],
    ["tap_output", hidden],
  ]);
  for (let i = 0; i < layers; i++) known.set(`tap_${i}`, hidden);
  const kv = new Map<string, Expected>([["new_kv", ["float32", [2 * layers, kvHeads, "any", headDim]]]]);
  compare("output", session.outputMetadata, kv, known, false, label);
}

function compare(
  kind: "input" | "output",
  found: readonly InferenceSession.ValueMetadata[],
  required: ReadonlyMap<string, Expected>,
  optional: ReadonlyMap<string, Expected>,
  closed: boolean,
  label: string,
): void {
  const byName = new Map(found.map((value) => [value.name, value]));
  for (const name of required.keys()) if (!byName.has(name)) throw wrong(label, `it has no ${kind} ${name}`);
  for (const [name, value] of byName) {
    const expected = required.get(name) ?? optional.get(name);
    if (expected === undefined) {
      if (closed) throw wrong(label, `it has the unknown ${kind} ${name}`);
      continue;
    }
    const [type, sizes] = expected;
    const actual = value.isTensor ? `${value.type} [${value.shape.join(", ")}]` : "no tensor";
    const fits =
      value.isTensor &&
      value.type === type &&
      value.shape.length === sizes.length &&
      sizes.every((size, i) => size === "any" || size === value.shape[i]);
    if (!fits) throw wrong(label, `its ${kind} ${name} is ${actual} and should be ${type} [${sizes.join(", ")}]`);
  }
}

const wrong = (label: string, why: string) =>
  new DiffuSpecError({
    code: "ERR_GRAPH",
    what: `${label} is not the decoder graph its manifest describes`,
    why,
    next: "Export it again with the recipe, or correct the shape in the manifest.",
  });
