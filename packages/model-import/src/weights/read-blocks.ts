import { abortError } from "@diffuspec/contracts";
import type { ModelSource } from "../source/source.ts";
import type { Step } from "./plan.ts";

/** Some rows of one part of a step. */
export interface Block {
  /** float32 [rows, columns], the reader's to change. */
  readonly values: Float32Array;
  /** Index of the part. */
  readonly part: number;
  /** Its first row, within the part. */
  readonly first: number;
}

/** Values of one read: the memory a conversion needs is a few of these, and one stored matrix. */
const VALUES_AT_ONCE = 2 ** 20;

/** The rows of all parts of a step, some at a time. @throws ERR_ABORTED between two reads, ERR_PARSE where the file ends early */
export async function* readBlocks(source: ModelSource, step: Step, signal?: AbortSignal): AsyncGenerator<Block> {
  const atOnce = Math.max(1, Math.floor(VALUES_AT_ONCE / step.columns));
  for (const [part, name] of step.parts.entries())
    for (let first = 0; first < step.rows[part]!; first += atOnce) {
      if (signal?.aborted) throw abortError(signal);
      const values = await source.readRows(`${name}.weight`, first, Math.min(atOnce, step.rows[part]! - first));
      yield { values, part, first };
    }
}
