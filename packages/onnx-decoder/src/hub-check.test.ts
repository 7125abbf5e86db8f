import type { InferenceSession } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { fromHalf, toHalf } from "./half.ts";
import { checkHubGraph } from "./hub-check.ts";

type Value = readonly [name: string, type: string, shape: readonly (number | string)[]];

const PAST = (layer: number, side: string): Value => [
  `past_key_values.${layer}.${side}`,
  "float32",
  ["batch_size", 3, "past_sequence_length", 64],
];
const INPUTS: readonly Value[] = [
  ["input_ids", "int64", ["batch_size", "sequence_length"]],
  ["attention_mask", "int64", ["batch_size", "total_sequence_length"]],
  PAST(0, "key"),
  PAST(0, "value"),
];
const OUTPUTS: readonly Value[] = [
  ["logits", "float32", ["batch_size", "sequence_length", 1000]],
  ["present.0.key", "float32", ["batch_size", 3, "total_sequence_length", 64]],
  ["present.0.value", "float32", ["batch_size", 3, "total_sequence_length", 64]],
];

function check(inputs: readonly Value[] = INPUTS, outputs: readonly Value[] = OUTPUTS, known: object = {}) {
  const metadata = (values: readonly Value[]) =>
    values.map(([name, type, shape]) => ({ name, isTensor: true, type, shape }));
  const session = { inputMetadata: metadata(inputs), outputMetadata: metadata(outputs) };
  return checkHubGraph(session as unknown as InferenceSession, { positions: 512, ...known }, "model");
}
const replaced = (values: readonly Value[], name: string, type: string, shape: Value[2]): Value[] =>
  values.map((value) => (value[0] === name ? [name, type, shape] : value));

describe("checkHubGraph", () => {
  it("reads the sizes off the graph", () => {
    expect(check()).toEqual({
      shape: { layers: 1, kvHeads: 3, headDim: 64, width: 192, vocabularySize: 1000, positions: 512 },
      kvType: "float32",
      keepDims: undefined,
    });
    expect(check([...INPUTS, ["num_logits_to_keep", "int64", []]]).keepDims).toEqual([]);
    expect(check([...INPUTS, ["num_logits_to_keep", "int64", [1]]]).keepDims).toEqual([1]);
    const open = replaced(OUTPUTS, "logits", "float32", ["batch_size", "sequence_length", "vocab"]);
    expect(check(INPUTS, open, { vocabularySize: 7 }).shape.vocabularySize).toBe(7);
    expect(() => check(INPUTS, open)).toThrow("vocabularySize");
  });

  it.each<[string, readonly Value[], readonly Value[]]>([
    ["input_ids", INPUTS.slice(1), OUTPUTS],
    ["inputs_embeds", [["inputs_embeds", "float32", [1, "s", 8]], ...INPUTS.slice(1)], OUTPUTS],
    ["int32, not int64", replaced(INPUTS, "input_ids", "int32", [1, "s"]), OUTPUTS],
    ["use_cache_branch", [...INPUTS, ["use_cache_branch", "bool", [1]]], OUTPUTS],
    ["cannot be rolled back", [...INPUTS, ["past_conv.0", "float32", [1, 8, 3]]], OUTPUTS],
    ["token_type_ids", [...INPUTS, ["token_type_ids", "int64", [1, "s"]]], OUTPUTS],
    ["no past_key_values", INPUTS.slice(0, 2), OUTPUTS],
    ["past_key_values.0.value", INPUTS.slice(0, 3), OUTPUTS],
    ["several shapes", replaced(INPUTS, "past_key_values.0.value", "float32", ["b", 3, "p", 32]), OUTPUTS],
    ["int8", replaced(INPUTS, "past_key_values.0.key", "int8", ["b", 3, "p", 64]), OUTPUTS],
    ["logits", INPUTS, OUTPUTS.slice(1)],
    ["present.0.value", INPUTS, OUTPUTS.slice(0, 2)],
  ])("refuses another convention: %s", (said, inputs, outputs) => {
    expect(() => check(inputs, outputs)).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
    expect(() => check(inputs, outputs)).toThrow(said);
  });

  it.each([{ layers: 2 }, { kvHeads: 9 }, { headDim: 32 }, { vocabularySize: 999 }])(
    "refuses a configuration of another model: %o",
    (known) => {
      expect(() => check(INPUTS, OUTPUTS, known)).toThrow(expect.objectContaining({ code: "ERR_GRAPH" }));
    },
  );
});

describe("half precision", () => {
  it("gives every number back", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const back = toHalf(fromHalf(bits));
    for (let i = 0; i < 65536; i++)
      if (!((i & 0x7c00) === 0x7c00 && (i & 1023) !== 0)) expect(back[i]).toBe(i);
      else expect(Number.isNaN(fromHalf(back.subarray(i, i + 1))[0])).toBe(true);
  });

  it("rounds to the nearest, ties to even", () => {
    const rounds = (value: number) => fromHalf(toHalf(Float32Array.of(value)))[0];
    expect(rounds(1 + 2 ** -11)).toBe(1);
    expect(rounds(1 + 3 * 2 ** -11)).toBe(1 + 2 ** -9);
    expect(rounds(2049)).toBe(2048);
    expect(rounds(2051)).toBe(2052);
    expect(rounds(65519)).toBe(65504);
    expect(rounds(65520)).toBe(Number.POSITIVE_INFINITY);
    expect(rounds(-1e30)).toBe(Number.NEGATIVE_INFINITY);
    expect(rounds(2 ** -25)).toBe(0);
    expect(rounds(2 ** -25 * 1.5)).toBe(2 ** -24);
    expect(rounds(2 ** -15 * (1 + 2 ** -11))).toBe(2 ** -15);
  });
});
