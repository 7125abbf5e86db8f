/** What two models must share to work together: the piece of text behind every id. */
export interface Vocabulary {
  readonly size: number;
  /** SHA-256 over the pieces, hexadecimal; equal vocabularies have equal fingerprints. */
  readonly fingerprint: string;
  /** The piece of an id as the tokenizer file spells it; undefined for an unused id. */
  piece(id: number): string | undefined;
}

/** Text from ids as they come; bytes of an unfinished UTF-8 sequence are held back. */
export interface TextStream {
  push(ids: ArrayLike<number>): string;
  /** What is still held back, with U+FFFD for a sequence that never ended. */
  end(): string;
}

export interface Tokenizer {
  readonly vocabulary: Vocabulary;
  /** Ids that end a text. */
  readonly eosIds: readonly number[];
  /** The id a text begins with, where the model was trained so. */
  readonly bosId?: number;
  /** No special tokens are added. Special pieces in the text are encoded as plain text. */
  encode(text: string): Int32Array;
  /** Special tokens give no text. */
  decode(ids: ArrayLike<number>): string;
  stream(): TextStream;
}
