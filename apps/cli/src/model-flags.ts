import type { LoadOptions, PrecisionName } from "diffuspec";

/** Flags of every command that loads a model. */
export interface ModelFlags {
  readonly model?: string;
  readonly registry?: string;
  readonly precision?: PrecisionName;
  readonly threads?: number;
}

/** Those that were given. */
export function modelOptions({ model, registry, precision, threads }: ModelFlags): Partial<LoadOptions> {
  return {
    ...(model !== undefined && { model }),
    ...(registry !== undefined && { registry }),
    ...(precision !== undefined && { precision }),
    ...(threads !== undefined && { threads }),
  };
}
