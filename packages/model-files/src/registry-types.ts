/** One of the two models of a pair: what it is, not where its files are. */
export interface PartEntry {
  /** "org/name", as its makers call it. */
  readonly model: string;
  /** SPDX id where there is one. */
  readonly licence: string;
  readonly parameters: number;
}

/** A file of a hub repository. What is not given here is asked of the hub. */
export interface HubFile {
  readonly path: string;
  readonly bytes?: number;
  /** 64 hexadecimal digits, lower case. */
  readonly sha256?: string;
  /** True for an index of safetensors: the files it names are fetched too. */
  readonly shards?: boolean;
}

/** Files of a hub repository, and what becomes of them. */
export interface HubFiles {
  /** "org/name" */
  readonly repository: string;
  /** Default "main". */
  readonly revision?: string;
  /** "gguf" and "safetensors" are imported; "onnx" is taken as it is: a target's folder is one for transformers.js. */
  readonly format: "gguf" | "safetensors" | "onnx";
  readonly files: readonly HubFile[];
  /** The .gguf file, or the graph; the others lie beside it. Not for safetensors. */
  readonly main?: string;
  /** Of an "onnx" drafter: the preset of the adapter that runs it. */
  readonly preset?: string;
  /** Of an "onnx" drafter: what no preset says, or says otherwise. */
  readonly canvas?: CanvasEntry;
  /** Bytes to download, about. */
  readonly bytes: number;
}

/** A full-canvas diffusion model, in the words of createCanvasDrafter of @diffuspec/drafter-dlm. */
export interface CanvasEntry {
  readonly maskId?: number;
  readonly eosIds?: readonly number[];
  readonly shift?: 0 | 1;
  readonly vocabularySize?: number;
  readonly blockSize?: number;
  readonly window?: number;
  readonly maxLength?: number;
}

/** Where a pair's files come from. */
export type PairSource =
  | { readonly kind: "package"; readonly package: string }
  /** A model directory; relative to the registry's file. */
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "hub";
      readonly target: HubFiles;
      readonly drafter?: HubFiles;
      /** Options of the target's import; not for "onnx", which is not imported. */
      readonly import?: {
        readonly precision?: readonly ("int8" | "fp32" | "int4")[];
        readonly contextLength?: number;
      };
    };

/** One number, and the machine it was taken on. */
export interface Measurement {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The machine. */
  readonly where: string;
  /** The result file, log entry or page that says so. */
  readonly source: string;
}

export interface PairEntry {
  readonly name: string;
  readonly title: string;
  readonly target: PartEntry;
  /** Null for a target alone, which drafts by prompt lookup or recycling. */
  readonly drafter: PartEntry | null;
  readonly source: PairSource;
  /** Options of load() where the caller says nothing. */
  readonly load?: { readonly drafter?: string; readonly precision?: string };
  /** Ways to the files without a hub. */
  readonly obtain?: readonly string[];
  readonly notes?: string;
  /** Null where nothing was measured; `notMeasured` then says why. */
  readonly measured: readonly Measurement[] | null;
  readonly notMeasured?: string;
}

export interface Registry {
  /** The file, "built-in", or "the option registry". */
  readonly source: string;
  /** What relative directories begin at; undefined where there is no file. */
  readonly dir: string | undefined;
  readonly pairs: readonly PairEntry[];
}
