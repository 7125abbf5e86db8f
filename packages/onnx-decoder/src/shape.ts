import { DiffuSpecError } from "@diffuspec/contracts";

/** The sizes a graph was exported with. A model's manifest carries them; other fields there are ignored. */
export interface DecoderShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of a hidden row. */
  readonly width: number;
  readonly vocabularySize: number;
  /** Rows of the rotary table: past and new rows of one pass together never exceed it. */
  readonly positions: number;
}

const FIELDS = ["layers", "kvHeads", "headDim", "width", "vocabularySize", "positions"] as const;

/** @throws ERR_OPTION where a size is not a positive integer */
export function validateShape(shape: DecoderShape, label: string): void {
  for (const field of FIELDS)
    if (!Number.isInteger(shape[field]) || shape[field] < 1)
      throw new DiffuSpecError({
        code: "ERR_OPTION",
        what: `The shape of ${label} has ${field} = ${shape[field]}`,
        why: "every size of a decoder is a positive integer",
        next: "Take the shape from the model's manifest.",
        details: { field, value: shape[field] },
      });
}

/** True where both describe the same cache rows. */
export function sameCacheShape(a: DecoderShape, b: DecoderShape): boolean {
  return a.layers === b.layers && a.kvHeads === b.kvHeads && a.headDim === b.headDim;
}
