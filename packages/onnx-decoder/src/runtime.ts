import { DiffuSpecError } from "@diffuspec/contracts";
import type { InferenceSession } from "onnxruntime-node";

/** What this package uses of ONNX Runtime. */
export interface Runtime {
  readonly InferenceSession: {
    create(path: string, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
}

let loaded: Promise<Runtime> | undefined;

/** Loads the native binding on first use, so that a platform without one gets a typed error and not a failed import. */
export function loadRuntime(): Promise<Runtime> {
  loaded ??= import("onnxruntime-node").then(
    (ort) => {
      ort.env.logLevel = "fatal";
      return ort;
    },
    (cause: unknown) => {
      loaded = undefined;
      throw new DiffuSpecError({
        code: "ERR_UNSUPPORTED",
        what: "ONNX Runtime did not load",
        why: cause instanceof Error ? cause.message : String(cause),
        next: "Install onnxruntime-node for this platform (64-bit Linux, Windows or Apple silicon).",
        cause,
      });
    },
  );
  return loaded;
}
