import { argmax, DiffuSpecError, type Rows, type Tap, type VerifyNeeds } from "@diffuspec/contracts";
import type { DecoderPass, DecoderShape } from "@diffuspec/onnx-decoder";
import { topIds } from "./top.ts";

/** The output of the graph behind a tap. */
const tapName = (tap: Tap) => `tap_${tap}`;

/**
 * The outputs a pass must fetch for these needs. Logits replace the graph's own argmax: one copy less.
 *
 * @throws ERR_UNSUPPORTED for a tap the graph does not have, ERR_OPTION for a topK outside 0..vocabularySize
 */
export function fetchFor(needs: VerifyNeeds, outputs: ReadonlySet<string>, vocabularySize: number): string[] {
  const { topK = 0, taps = [] } = needs;
  if (!Number.isInteger(topK) || topK < 0 || topK > vocabularySize)
    throw new DiffuSpecError({
      code: "ERR_OPTION",
      what: `topK is ${topK}`,
      why: `it is an integer in 0..${vocabularySize}`,
      next: "Correct the drafter's needs.",
    });
  const logits = needs.logits || topK > 0 || !outputs.has("argmax");
  const fetch = ["new_kv", logits ? "logits" : "argmax"];
  for (const tap of new Set(taps)) {
    if (!outputs.has(tapName(tap)))
      throw new DiffuSpecError({
        code: "ERR_UNSUPPORTED",
        what: `The tap ${tap} was asked for`,
        why: `the target's graph has ${[...outputs].filter((name) => name.startsWith("tap_")).join(", ") || "no taps"}`,
        next: "Use a drafter made for this target, or export the target with that tap.",
        details: { tap },
      });
    fetch.push(tapName(tap));
  }
  return fetch;
}

/** What of a pass the rows show. */
export interface RowsOf {
  readonly pass: DecoderPass;
  /** Nodes of the tree; rows the pass computed beyond them were padding and stay hidden. */
  readonly count: number;
  readonly exact: number;
  readonly needs: VerifyNeeds;
  readonly fetched: readonly string[];
  readonly shape: DecoderShape;
  /** The root's row among those of the pass, and among those the LM head looked at; default 0. */
  readonly first?: { readonly row: number; readonly looked: number };
}

export function createRows({ pass, count, exact, needs, fetched, shape, first }: RowsOf): Rows {
  const hasLogits = fetched.includes("logits");
  const { row: offset, looked } = first ?? { row: 0, looked: 0 };
  const slice = (name: string, row: number, width: number, from: number) => {
    if (!(Number.isInteger(row) && row >= 0 && row < count))
      throw misuse(`Row ${row} was read`, `there are rows 0..${count - 1}`);
    return pass.f32(name).subarray((from + row) * width, (from + row + 1) * width);
  };
  const logits = (row: number) => slice("logits", row, shape.vocabularySize, looked);
  const best = new Int32Array(count).fill(-1);
  return {
    count,
    exact,
    argmax(row) {
      if (!(row >= 0 && row < count)) throw misuse(`Row ${row} was read`, `there are rows 0..${count - 1}`);
      if (!hasLogits) return pass.i32("argmax")[looked + row]!;
      if (best[row] === -1) best[row] = argmax(logits(row));
      return best[row]!;
    },
    logits(row) {
      if (!needs.logits) throw misuse("Logits were read", "verify() was not asked for them");
      return logits(row);
    },
    top(row) {
      if (!needs.topK) throw misuse("The best ids were read", "verify() was not asked for topK");
      return topIds(logits(row), needs.topK);
    },
    tap(row, tap) {
      if (!needs.taps?.includes(tap)) throw misuse(`The tap ${tap} was read`, "verify() was not asked for it");
      return slice(tapName(tap), row, shape.width, offset);
    },
  };
}

const misuse = (what: string, why: string) =>
  new DiffuSpecError({ code: "ERR_CONTRACT", what, why, next: "Declare it in the drafter's needs, or fix the row." });
