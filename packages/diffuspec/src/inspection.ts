import type { RowDifference } from "@diffuspec/onnx-decoder";
import type { ModelInfo } from "./events.ts";

export interface InspectOptions {
  /** Probe more past lengths and row counts than loading does; default true. */
  readonly thorough?: boolean;
  /** Row counts to time; default 1, 2, 4, 8, 16, 32. */
  readonly rowCounts?: readonly number[];
  /** Passes a timing takes; the median counts. Default 9. */
  readonly repeats?: number;
}

export const INSPECT_DEFAULTS = {
  thorough: true,
  rowCounts: [1, 2, 4, 8, 16, 32],
  repeats: 9,
} as const satisfies InspectOptions;

/** What `diffuspec inspect` shows. */
export interface Inspection {
  readonly info: ModelInfo;
  readonly rowExactness: {
    readonly rowExact: boolean;
    /** Passes compared. */
    readonly passes: number;
    /** What differed first, of chain or tree graph; undefined where nothing did. */
    readonly firstDifference: RowDifference | undefined;
    readonly ms: number;
  };
  /** The target's pass by row count, median milliseconds; ratio is to the first row count of the list. */
  readonly timeByRows: readonly { readonly rows: number; readonly ms: number; readonly ratio: number }[];
  /** Past length of those passes, in tokens. */
  readonly pastLength: number;
}
