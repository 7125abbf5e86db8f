import type { CanvasPresetName, DTYPE_NAMES, LoadOptions, PrecisionName } from "diffuspec";
import { UsageError } from "./exit.ts";

/** Flags of every command that loads a model. */
export interface ModelFlags {
  readonly model?: string;
  readonly registry?: string;
  readonly precision?: PrecisionName;
  readonly dtype?: (typeof DTYPE_NAMES)[number];
  readonly exactness?: "exact" | "tolerant";
  readonly drafterModel?: string;
  readonly drafterPreset?: CanvasPresetName;
  readonly threads?: number | "measure";
}

/** Those that were given. */
export function modelOptions(flags: ModelFlags): Partial<LoadOptions> {
  const {
    model,
    registry,
    precision,
    dtype,
    exactness,
    threads,
    drafterModel: directory,
    drafterPreset: preset,
  } = flags;
  if (preset !== undefined && directory === undefined)
    throw new UsageError("--drafter-preset needs --drafter-model. Add it.");
  return {
    ...(model !== undefined && { model }),
    ...(registry !== undefined && { registry }),
    ...(precision !== undefined && { precision }),
    ...(dtype !== undefined && { dtype }),
    ...(exactness !== undefined && { exactness }),
    ...(directory !== undefined && { drafterModel: { directory, ...(preset !== undefined && { preset }) } }),
    ...(threads !== undefined && { threads }),
  };
}
