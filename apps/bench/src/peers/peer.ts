/** One answer of another program. Times in milliseconds. */
export interface PeerAnswer {
  /** The completion, an end-of-text id included where it wrote one. */
  readonly ids: Int32Array;
  /** Until the first id was there: the whole prompt, and one id. */
  readonly prefillMs: number;
  /** From the first id to the last: one id less than `ids` has. */
  readonly decodeMs: number;
}

/** Another program with the same weights, greedy, in a process of its own. */
export interface Peer {
  readonly name: string;
  /** Of its package. */
  readonly version: string;
  /** Its weights; "gguf": as the file has them. */
  readonly dtype: string;
  /** The fastest of those tried. */
  readonly threads: number;
  /** @throws ERR_WORKER where its process ended, or what it says went wrong */
  generate(ids: Int32Array, maxTokens: number): Promise<PeerAnswer>;
  dispose(): Promise<void>;
}

/** A peer that does not run here. */
export interface MissingPeer {
  readonly name: string;
  readonly why: string;
}

/** What a peer's process is started with. */
export interface PeerSettings {
  readonly kind: "transformers.js" | "node-llama-cpp";
  /** The module to import. */
  readonly module: string;
  /** A folder that exportTransformers() wrote, or a GGUF file. */
  readonly model: string;
  /** transformers.js: the weights. */
  readonly dtype?: "fp32" | "q8" | "q4";
  /** node-llama-cpp: drafts from the text so far, by its InputLookupTokenPredictor. */
  readonly lookup?: boolean;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  /** Thread counts to try; the fastest is kept. */
  readonly threads: readonly number[];
  /** What they are tried on. */
  readonly trial: Int32Array;
}

/** A peer in its own process, loaded with one number of threads. */
export interface LoadedPeer {
  generate(ids: Int32Array, maxTokens: number): Promise<PeerAnswer>;
  dispose(): Promise<void>;
}

/** The clock of a generation: call it at every id. */
export function createStopwatch() {
  const begun = performance.now();
  const ids: number[] = [];
  let first = begun;
  let last = begun;
  return {
    add(id: number): void {
      last = performance.now();
      if (ids.length === 0) first = last;
      ids.push(id);
    },
    count: () => ids.length,
    answer: (): PeerAnswer => ({ ids: Int32Array.from(ids), prefillMs: first - begun, decodeMs: last - first }),
  };
}
