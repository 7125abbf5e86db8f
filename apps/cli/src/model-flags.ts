import type { LoadOptions } from "diffuspec";

/** Flags of every command that loads a model. */
export interface ModelFlags {
  readonly model?: string;
  readonly precision?: "int8" | "fp32";
  readonly threads?: number;
}

/** Those that were given. */
export function modelOptions({ model, precision, threads }: ModelFlags): Partial<LoadOptions> {
  return {
    ...(model !== undefined && { model }),
    ...(precision !== undefined && { precision }),
    ...(threads !== undefined && { threads }),
  };
}
